//! Live events, through HTTP: their order, their readers' rights, and their readers' ends.

use std::time::Duration;

use futures_util::StreamExt;
use quaymaster::{
    events::{self, policy::MAX_MISSED},
    journal::{self, Event},
    platform::id::{AppId, ProjectId, ServerId},
};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool};
use tokio::time::timeout;
use uuid::Uuid;

use crate::{
    projects::app,
    support::{
        PATIENCE,
        api::{Client, PASSWORD, TestApi},
        eventually,
    },
};

/// What the contract gives a change to be seen, and a session to end.
const AT_ONCE: Duration = Duration::from_secs(1);

#[derive(Debug, PartialEq)]
struct Seen {
    id: Option<i64>,
    name: String,
    data: Value,
}

/// An open stream, past its `ready`.
struct Stream {
    answer: Response,
    buffer: String,
}

impl Stream {
    async fn open(client: &Client) -> Self {
        let (mut stream, ready) = Self::resume(client, None).await;
        assert_eq!(ready.name, "ready");
        stream.buffer.clear();
        stream
    }

    /// Gives the first event too.
    async fn resume(client: &Client, last: Option<i64>) -> (Self, Seen) {
        let mut request = client.request(Method::GET, "/api/events");
        if let Some(last) = last {
            request = request.header("last-event-id", last.to_string());
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let mut stream = Self { answer, buffer: String::new() };
        let first = stream.next().await.unwrap();
        (stream, first)
    }

    /// The next event; `None` when the stream has ended. Beats keep a stream open, but do not make it wait for ever.
    async fn next(&mut self) -> Option<Seen> {
        timeout(PATIENCE, self.read()).await.expect("no event came")
    }

    async fn read(&mut self) -> Option<Seen> {
        loop {
            while let Some((message, rest)) = self.buffer.split_once("\n\n") {
                let (message, rest) = (message.to_owned(), rest.to_owned());
                self.buffer = rest;
                if !message.starts_with(':') {
                    return Some(parse(&message));
                }
            }
            let chunk = self.answer.chunk().await.ok()??;
            self.buffer.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The numbers that the next events were written with.
    async fn numbers(&mut self, count: usize) -> Vec<i64> {
        let mut numbers = vec![];
        for _ in 0..count {
            numbers.push(number(&self.next().await.unwrap()));
        }
        numbers
    }

    async fn ends_for(&mut self, reason: &str) {
        let end = timeout(AT_ONCE, self.next()).await.expect("it did not end at once").unwrap();
        assert_eq!((end.name.as_str(), &end.data), ("end", &json!({"reason": reason})));
        assert_eq!(timeout(AT_ONCE, self.next()).await.expect("it stayed open"), None);
    }
}

fn parse(message: &str) -> Seen {
    let field = |name: &str| message.lines().find_map(|line| line.strip_prefix(name));
    Seen {
        id: field("id: ").map(|id| id.parse().unwrap()),
        name: field("event: ").unwrap().to_owned(),
        data: serde_json::from_str(field("data: ").unwrap()).unwrap(),
    }
}

fn number(seen: &Seen) -> i64 {
    seen.data["reason"].as_str().unwrap().parse().unwrap()
}

/// An event of a project that carries a number.
async fn announce(db: &mut PgConnection, project: &str, number: i64) {
    let event = Event::AppStatus {
        app: AppId::make(),
        project: ProjectId(project.parse().unwrap()),
        server: ServerId::make(),
        status: "running",
        reason: Some(number.to_string()),
    };
    journal::announce(db, quaymaster::platform::Clock::system().now(), &event).await.unwrap();
}

async fn announce_now(db: &PgPool, project: &str, number: i64) {
    let mut tx = db.begin().await.unwrap();
    announce(&mut tx, project, number).await;
    tx.commit().await.unwrap();
}

fn any() -> String {
    Uuid::now_v7().to_string()
}

#[tokio::test]
async fn an_event_is_seen_at_once_on_every_replica_and_at_both_addresses() {
    let api = TestApi::start().await;
    let other = api.replica().await;
    let project = any();
    let (mut here, mut there) = (Stream::open(&api.admin).await, Stream::open(&api.admin.at(&other)).await);
    announce_now(&api.db, &project, 1).await;
    for stream in [&mut here, &mut there] {
        let seen = timeout(AT_ONCE, stream.next()).await.expect("not at once").unwrap();
        assert_eq!(seen.name, "app.status");
        assert_eq!(seen.data["projectId"], project.as_str());
        assert!(seen.id.is_some());
    }
    let old = api.admin.request(Method::GET, "/api/events/status").send().await.unwrap();
    assert_eq!(old.headers()["content-type"], "text/event-stream");
}

#[tokio::test]
async fn a_transaction_that_commits_late_is_not_lost_although_its_event_was_written_first() {
    let api = TestApi::start().await;
    let project = any();
    let mut stream = Stream::open(&api.admin).await;
    let mut slow = api.db.begin().await.unwrap();
    announce(&mut slow, &project, 1).await;
    announce_now(&api.db, &project, 2).await;
    let first = stream.next().await.unwrap();
    assert_eq!(number(&first), 2);
    slow.commit().await.unwrap();
    let second = stream.next().await.unwrap();
    assert_eq!(number(&second), 1);
    assert!(second.id > first.id, "{first:?} {second:?}");

    // And whoever left between the two is given the late one.
    let (mut resumed, ready) = Stream::resume(&api.admin, first.id).await;
    assert_eq!(ready.name, "ready");
    assert_eq!(resumed.next().await.unwrap(), second);
}

#[tokio::test]
async fn what_is_rolled_back_is_never_seen() {
    let api = TestApi::start().await;
    let mut stream = Stream::open(&api.admin).await;
    let mut undone = api.db.begin().await.unwrap();
    announce(&mut undone, &any(), 1).await;
    undone.rollback().await.unwrap();
    announce_now(&api.db, &any(), 2).await;
    assert_eq!(stream.numbers(1).await, [2]);
}

#[tokio::test]
async fn writers_at_once_are_each_seen_once_and_in_the_order_of_their_ids() {
    const WRITERS: i64 = 8;
    const EACH: i64 = 20;
    let api = TestApi::start().await;
    let mut stream = Stream::open(&api.admin).await;
    let write = |writer: i64| {
        let db = api.db.clone();
        async move {
            for number in 0..EACH {
                announce_now(&db, &any(), writer * EACH + number).await;
            }
        }
    };
    futures_util::future::join_all((0..WRITERS).map(write)).await;
    let (mut numbers, mut ids) = (vec![], vec![]);
    for _ in 0..WRITERS * EACH {
        let seen = stream.next().await.unwrap();
        numbers.push(number(&seen));
        ids.push(seen.id);
    }
    assert!(ids.is_sorted());
    numbers.sort_unstable();
    assert_eq!(numbers, (0..WRITERS * EACH).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_reader_who_was_away_goes_on_from_its_last_event() {
    let api = TestApi::start().await;
    let (_, ready) = Stream::resume(&api.admin, None).await;
    for number in 1..=3 {
        announce_now(&api.db, &any(), number).await;
    }
    let (mut stream, first) = Stream::resume(&api.admin, ready.id).await;
    assert_eq!((first.name.as_str(), first.id), ("ready", ready.id));
    assert_eq!(stream.numbers(2).await, [1, 2]);
    announce_now(&api.db, &any(), 4).await;
    assert_eq!(stream.numbers(2).await, [3, 4]);
}

#[tokio::test]
async fn a_reader_who_missed_too_much_or_knows_another_stream_is_told_to_start_over() {
    let api = TestApi::start().await;
    announce_now(&api.db, &any(), 1).await;
    let mut tx = api.db.begin().await.unwrap();
    for number in 0..=i64::try_from(MAX_MISSED).unwrap() {
        announce(&mut tx, &any(), number).await;
    }
    tx.commit().await.unwrap();
    let last = sqlx::query_scalar!(r#"select max(position) as "last!" from events"#)
        .fetch_one(&api.db)
        .await
        .unwrap();
    for seen in [1, last + 1] {
        let (mut stream, first) = Stream::resume(&api.admin, Some(seen)).await;
        assert_eq!((first.name.as_str(), first.id), ("reset", Some(last)));
        drop(stream.buffer.split_off(0));
    }
    let (mut stream, first) = Stream::resume(&api.admin, Some(2)).await;
    assert_eq!(first.name, "ready");
    assert_eq!(stream.numbers(2).await, [1, 2]);
}

#[tokio::test]
async fn a_user_hears_of_its_projects_and_their_servers_only_and_changes_count_at_once() {
    let api = TestApi::start().await;
    let (quay, pier) = (api.project("Quay").await, api.project("Pier").await);
    let (ann, client) = api.user("ann").await;
    let (quays_app, piers_app) =
        (app(&api.db, &quay, "here", "stopped").await, app(&api.db, &pier, "there", "stopped").await);
    api.member(&quay, &ann, "viewer").await;
    let mut stream = Stream::open(&client).await;

    announce_now(&api.db, &pier, 1).await;
    server_event(&api.db, piers_app, "2").await;
    announce_now(&api.db, &quay, 3).await;
    server_event(&api.db, quays_app, "4").await;
    assert_eq!(stream.numbers(2).await, [3, 4]);

    api.member(&pier, &ann, "viewer").await;
    let places = |project: &str| format!("/api/projects/{project}/members/{ann}");
    until_heard(&api.db, &mut stream, &pier, 10).await;
    api.admin.delete(&places(&quay)).await.is(204);
    // The rights are read anew when the signal comes, within a second: from some event on, none of the quay's is heard.
    let unheard = async {
        for first in (100..).step_by(2) {
            announce_now(&api.db, &quay, first).await;
            announce_now(&api.db, &pier, first + 1).await;
            let mut heard = vec![];
            while heard.last() != Some(&(first + 1)) {
                heard.push(number(&stream.next().await.unwrap()));
            }
            if !heard.contains(&first) {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(5), unheard).await.expect("the quay is not heard of any more");
}

/// Announces until the stream shows one.
async fn until_heard(db: &PgPool, stream: &mut Stream, project: &str, from: i64) {
    for number in from..from + 50 {
        announce_now(db, project, number).await;
        if timeout(Duration::from_millis(100), stream.next()).await.is_ok() {
            return;
        }
    }
    panic!("the new project is not heard");
}

async fn server_event(db: &PgPool, app: Uuid, reason: &str) {
    let server =
        sqlx::query_scalar!("select server_id from apps where id = $1", app).fetch_one(db).await.unwrap();
    let event =
        Event::ServerStatus { server: ServerId(server), status: "online", reason: Some(reason.to_owned()) };
    let mut tx = db.begin().await.unwrap();
    journal::announce(&mut tx, quaymaster::platform::Clock::system().now(), &event).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_stream_ends_at_once_with_its_session_on_every_replica() {
    let api = TestApi::start().await;
    let other = api.replica().await;
    let (ann, client) = api.user("ann").await;
    let path = format!("/api/users/{ann}");

    let (mut here, mut there) = (Stream::open(&client).await, Stream::open(&client.at(&other)).await);
    let mut admins = Stream::open(&api.admin).await;
    client.post("/api/auth/logout", json!({})).await.is(200);
    here.ends_for("session_ended").await;
    there.ends_for("session_ended").await;

    let client = api.stranger().sign_in("ann", PASSWORD).await;
    let mut there = Stream::open(&client.at(&other)).await;
    api.admin.put(&path, json!({"isEnabled": false})).await.is(200);
    there.ends_for("session_ended").await;

    api.admin.put(&path, json!({"isEnabled": true})).await.is(200);
    let client = api.stranger().sign_in("ann", PASSWORD).await;
    let mut there = Stream::open(&client.at(&other)).await;
    api.admin.delete(&path).await.is(204);
    there.ends_for("session_ended").await;

    announce_now(&api.db, &any(), 7).await;
    assert_eq!(admins.numbers(1).await, [7]);
}

#[tokio::test]
async fn a_stopping_service_says_so_and_does_not_wait_for_readers() {
    let api = TestApi::start().await;
    let mut stream = Stream::open(&api.admin).await;
    api.services.lifecycle.stop();
    stream.ends_for("stopping").await;
}

#[tokio::test]
async fn a_reader_that_lags_is_sent_away_and_can_come_back() {
    let api = TestApi::start().await;
    let quay = api.project("Quay").await;
    let (ann, client) = api.user("ann").await;
    api.member(&quay, &ann, "viewer").await;
    let (mut idle, ready) = Stream::resume(&api.admin, None).await;
    let mut quick = Stream::open(&client).await;

    // 60 MB: more than sockets and the feed hold together.
    sqlx::query!(
        "insert into events (kind, data, created_at)
         select 'app.status', jsonb_build_object('reason', repeat('x', 20000)), now() from generate_series(1, 3000)"
    )
    .execute(&api.db)
    .await
    .unwrap();
    announce_now(&api.db, &quay, 1).await;
    // Ann is shown none of that: when she hears something, the feed has passed it.
    quick.next().await.unwrap();

    let mut last = idle.next().await.unwrap();
    while last.name == "app.status" {
        last = idle.next().await.unwrap();
    }
    assert_eq!((last.name.as_str(), &last.data), ("end", &json!({"reason": "too_slow"})));
    assert_eq!(idle.next().await, None);
    let (_, first) = Stream::resume(&api.admin, ready.id).await;
    assert_eq!(first.name, "reset");
}

#[tokio::test]
async fn events_are_forgotten_after_a_day_but_for_the_last() {
    let api = TestApi::start().await;
    for number in 1..=3 {
        announce_now(&api.db, &any(), number).await;
    }
    events::jobs::sweep(&api.services).await.unwrap();
    let count = || async {
        sqlx::query_scalar!(r#"select count(*) as "count!" from events"#).fetch_one(&api.db).await.unwrap()
    };
    assert_eq!(count().await, 3);
    sqlx::query!("update events set created_at = now() - interval '25 hours' where position <= 2")
        .execute(&api.db)
        .await
        .unwrap();
    assert_eq!(events::jobs::sweep(&api.services).await.unwrap(), 2);
    sqlx::query!("update events set created_at = now() - interval '25 hours'")
        .execute(&api.db)
        .await
        .unwrap();
    assert_eq!(events::jobs::sweep(&api.services).await.unwrap(), 0);
    assert_eq!(count().await, 1);
    let (_, first) = Stream::resume(&api.admin, Some(1)).await;
    assert_eq!(first.name, "reset");
    let (_, first) = Stream::resume(&api.admin, Some(3)).await;
    assert_eq!(first.name, "ready");
}

#[tokio::test]
async fn one_account_cannot_open_streams_without_end() {
    let api = TestApi::start().await;
    let opened = futures_util::stream::iter(0..50).then(|_| Stream::open(&api.admin));
    let mut streams: Vec<Stream> = opened.collect().await;
    api.admin.get("/api/events").await.is_refused(503, "events.too_many_readers");
    let (_, bob) = api.user("bob").await;
    drop(Stream::open(&bob).await);
    streams.clear();
    eventually("a seat is free again", PATIENCE, || async {
        // That a reader is gone is noticed when something is written to it.
        announce_now(&api.db, &any(), 1).await;
        let answer = api.admin.request(Method::GET, "/api/events").send().await.unwrap();
        (answer.status() == 200).then_some(())
    })
    .await;
}
