//! Streams that outlive their request: they end with the right to read them, on whichever replica.

use std::time::{Duration, Instant};

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::{
    PATIENCE,
    api::Client,
    docker::{App, samples},
    eventually,
    postgres::ADMIN_PASSWORD,
    scene::Scene,
};

/// What the contract promises.
const AT_ONCE: Duration = Duration::from_secs(1);

async fn open(client: &Client, path: &str) -> Response {
    let request = client.request(Method::GET, path).header("accept", "text/event-stream");
    let mut answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    // The first bytes come before anything else is asked: it is open now.
    answer.chunk().await.unwrap().unwrap();
    answer
}

/// Reads to the end; fails when that takes longer than the contract allows.
async fn ends_at_once(mut answer: Response, why: &str) {
    let began = Instant::now();
    let rest = async { while answer.chunk().await.ok().flatten().is_some() {} };
    tokio::time::timeout(PATIENCE, rest).await.unwrap_or_else(|_| panic!("{why}: it goes on"));
    assert!(began.elapsed() < AT_ONCE, "{why}: only after {:?}", began.elapsed());
}

/// Each way to lose the right to read `path`, tried on both replicas at once.
async fn ends_with_the_right(scene: &Scene, path: &str) {
    let api = &scene.api;
    let other = api.replica().await;
    for why in ["sign out", "disable", "leave the project"] {
        let name = why.replace(' ', "-");
        let (id, client) = api.user(&name).await;
        api.member(&scene.project, &id, "viewer").await;
        let here = open(&client, path).await;
        let there = open(&client.at(&other), path).await;
        match why {
            "sign out" => drop(client.post("/api/auth/logout", json!({})).await.is(200)),
            "disable" => {
                drop(api.admin.put(&format!("/api/users/{id}"), json!({"isEnabled": false})).await.is(200));
            }
            _ => {
                drop(
                    api.admin.delete(&format!("/api/projects/{}/members/{id}", scene.project)).await.is(204),
                );
            }
        }
        tokio::join!(ends_at_once(here, why), ends_at_once(there, why));
    }
    // Who still may is not disturbed.
    open(&api.admin, path).await;
}

#[tokio::test]
async fn followed_logs_end_with_the_right_to_read_them() {
    let scene = Scene::start().await;
    let sample = App::new("followed", &samples::steady());
    let app = scene.app(&sample).await;
    scene.act(&app, "start").await.is(200);
    ends_with_the_right(&scene, &format!("/api/apps/{app}/logs?follow=true")).await;
    scene.act(&app, "stop").await.is(200);
}

#[tokio::test]
async fn followed_output_ends_with_the_right_to_read_it() {
    let scene = Scene::start().await;
    let sample = App::new("watching-endless", &samples::hanging());
    let app = scene.app(&sample).await;
    let operation = scene.begin(&app, "start").await;
    scene.until_operation(&operation, &["running"]).await;
    ends_with_the_right(&scene, &format!("/api/operations/{operation}/output")).await;
    scene.api.admin.post(&format!("/api/operations/{operation}/cancel"), json!({})).await.is(200);
    scene.until_operation(&operation, &["cancelled"]).await;
}

#[tokio::test]
async fn who_waited_for_a_start_and_left_the_project_meanwhile_is_told_nothing_of_it() {
    let scene = Scene::start().await;
    let sample = App::new("waited", &samples::hanging());
    let app = scene.app(&sample).await;
    let (id, client) = scene.api.user("ann").await;
    scene.api.member(&scene.project, &id, "operator").await;
    let path = format!("/api/apps/{app}/start");
    let waiting = client.post(&path, json!({}));
    let leaving = async {
        let busy = eventually("it runs", PATIENCE, || async {
            let running = scene.api.admin.get("/api/operations?state=running").await.is(200);
            running["items"].get(0).cloned()
        })
        .await;
        let member = format!("/api/projects/{}/members/{id}", scene.project);
        scene.api.admin.delete(&member).await.is(204);
        let cancel = format!("/api/operations/{}/cancel", busy["id"].as_str().unwrap());
        scene.api.admin.post(&cancel, Value::Null).await.is(200);
    };
    let (answer, ()) = tokio::join!(waiting, leaving);
    answer.is_refused(404, "app.not_found");
}

/// Opens followers until one is refused; gives them.
async fn fill(client: &Client, path: &str) -> Vec<Response> {
    let mut open = vec![];
    loop {
        let answer = client.request(Method::GET, path).send().await.unwrap();
        if answer.status() != 200 {
            let body: Value = answer.json().await.unwrap();
            assert_eq!((&body["status"], &body["code"]), (&json!(503), &json!("logs.too_many_readers")));
            return open;
        }
        open.push(answer);
        assert!(open.len() < 100, "they are not counted");
    }
}

#[tokio::test]
async fn one_account_or_one_host_has_only_so_many_readers_of_logs_and_seats_are_given_back() {
    let scene = Scene::start().await;
    let sample = App::new("crowded", &samples::steady());
    let app = scene.app(&sample).await;
    scene.act(&app, "start").await.is(200);
    let path = format!("/api/apps/{app}/logs?follow=true");
    let greedy = scene.api.stranger().sign_in("admin", ADMIN_PASSWORD).await;
    let open = fill(&greedy, &path).await;
    assert_eq!(open.len(), 20);
    // The host is full for everybody, while other calls are answered.
    let (id, client) = scene.api.user("ann").await;
    scene.api.member(&scene.project, &id, "viewer").await;
    client.get(&path).await.is_refused(503, "logs.too_many_readers");
    client.get(&format!("/api/apps/{app}/services")).await.is(200);
    greedy.post("/api/auth/logout", json!({})).await.is(200);
    eventually("there is room again", PATIENCE, || async {
        let answer = client.request(Method::GET, &path).send().await.unwrap();
        (answer.status() == 200).then_some(())
    })
    .await;
    scene.act(&app, "stop").await.is(200);
}
