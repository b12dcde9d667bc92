//! Quaymaster killed at whatever moment, or told to end: nothing is lost, nothing is done twice, nothing is under way for ever.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde_json::json;
use sqlx::PgPool;
use tempfile::TempDir;

use crate::support::{
    PATIENCE,
    api::{Client, text},
    docker::{self, App, samples},
    docker_host::{DockerHost, Setup},
    eventually,
    postgres::ADMIN_PASSWORD,
    process::{Place, Serving},
    scene::server_body,
    sshd::free_port,
    tool,
};

/// A lease runs out after 12 s; then the host is asked what became of the command.
const TAKEN_UP_WITHIN: Duration = Duration::from_secs(40);
/// What is under way at a SIGTERM has 10 s.
const ENDED_WITHIN: Duration = Duration::from_secs(14);

/// A host whose compose writes down for which operation it is run.
struct Host {
    sshd: DockerHost,
    programs: TempDir,
}

impl Host {
    async fn start() -> Self {
        let programs = tempfile::Builder::new().prefix("qm-programs-").tempdir().unwrap();
        let (compose, runs) = (programs.path().join("docker-compose"), programs.path().join("runs"));
        let script = format!(
            "#!/bin/sh\necho \"$QUAYMASTER_RUN\" >>'{}'\nexec /usr/bin/docker-compose \"$@\"\n",
            runs.display()
        );
        fs::write(&runs, "").unwrap();
        fs::write(&compose, script).unwrap();
        fs::set_permissions(&compose, fs::Permissions::from_mode(0o755)).unwrap();
        let setup = Setup { programs: Some(programs.path().to_owned()), ..Setup::default() };
        Self { sshd: DockerHost::start(setup).await, programs }
    }

    /// How often compose was run for an operation.
    fn runs_of(&self, operation: &str) -> usize {
        let runs = fs::read_to_string(self.programs.path().join("runs")).unwrap();
        runs.lines().filter(|line| *line == operation).count()
    }
}

/// How many containers of an app run, as the engine says.
async fn running(app: &App) -> usize {
    let filter = format!("label=com.docker.compose.project.working_dir={}", app.dir());
    let host = docker::engine().host();
    tool("/usr/bin/docker", &["--host", &host, "ps", "--quiet", "--filter", &filter]).await.lines().count()
}

/// What a Quaymaster that comes and goes leaves in place.
struct Installation {
    place: Place,
    db: PgPool,
    host: Host,
    server: String,
    project: String,
}

impl Installation {
    async fn start() -> (Self, Serving, Client) {
        let (place, host) = (Place::new().await, Host::start().await);
        let db = PgPool::connect_with(place.database.clone().unwrap()).await.unwrap();
        let serving = place.serve(&[]).await;
        let admin = serving.client().sign_in("admin", ADMIN_PASSWORD).await;
        let (server, project) = furnish(&admin, &host.sshd).await;
        (Self { place, db, host, server, project }, serving, admin)
    }

    async fn add(&self, admin: &Client, app: &App) -> String {
        let body = json!({"name": app.dir(), "projectId": self.project, "serverId": self.server, "cdPath": app.dir()});
        text(&admin.post("/api/apps", body).await.is(201)["id"])
    }

    /// Starts it again, on another port, for who was signed in before.
    async fn restart(&self, admin: &Client) -> (Serving, Client) {
        let serving = self.place.serve(&[]).await;
        let admin = admin.at_base(&serving.base());
        (serving, admin)
    }

    /// Waits until compose was run this often.
    async fn begun(&self, runs: usize) {
        eventually("compose runs", PATIENCE, || async {
            let mut count = 0;
            for (id, _, _) in self.operations().await {
                count += self.host.runs_of(&id);
            }
            (count >= runs).then_some(())
        })
        .await;
    }

    /// Waits until no operation is unfinished.
    async fn settled(&self) {
        let count = "select count(*) from operations where state in ('queued', 'running')";
        eventually("every operation has ended", TAKEN_UP_WITHIN, || async {
            let left: i64 = sqlx::query_scalar(count).fetch_one(&self.db).await.unwrap();
            (left == 0).then_some(())
        })
        .await;
    }

    /// Every operation: its id, its state, how many audit rows tell of its end.
    async fn operations(&self) -> Vec<(String, String, i64)> {
        let statement = "select id::text, state,
                                (select count(*) from audit_logs where action = 'OPERATION_FINISH' and resource_id = o.id)
                         from operations o order by id";
        sqlx::query_as(statement).fetch_all(&self.db).await.unwrap()
    }

    /// No operation ran twice, and none that succeeded did not run.
    async fn each_ran_once(&self) {
        for (id, state, ends) in self.operations().await {
            let runs = self.host.runs_of(&id);
            assert!(runs <= 1, "{id} was run {runs} times");
            assert!(runs == 1 || state != "succeeded", "{id} was not run");
            assert_eq!(ends, 1, "{id} ended {ends} times as {state}");
        }
    }

    /// Quaymaster shows what Docker says.
    async fn shows_what_is_so(&self, admin: &Client, id: &str, app: &App) -> String {
        eventually(&format!("{} is shown as it is", app.dir()), PATIENCE, || async {
            let shown = admin.get(&format!("/api/apps/{id}")).await.is(200);
            let status = text(&shown["status"]);
            assert!(!matches!(status.as_str(), "starting" | "stopping"), "{shown}");
            let expected: &[&str] = if running(app).await > 0 { &["running"] } else { &["stopped", "error"] };
            expected.contains(&status.as_str()).then_some(status)
        })
        .await
    }
}

/// A server whose key is trusted, and a project.
async fn furnish(admin: &Client, host: &DockerHost) -> (String, String) {
    let mut body = server_body(host);
    body["hostKeyPolicy"] = json!("acceptNew");
    let server = admin.post("/api/servers", body).await.is(201);
    assert_eq!(server["status"], "online", "{server}");
    let project = admin.post("/api/projects", json!({"name": "project"})).await.is(201);
    (text(&server["id"]), text(&project["id"]))
}

/// Numbers that look random and are the same in each run (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        limit.mul_f64(f64::from(u32::try_from(mixed >> 32).unwrap()) / f64::from(u32::MAX))
    }
}

/// The moment of a kill is what is tried here, so here time itself is waited for.
async fn after<F: Future>(moment: Duration, act: F) -> F::Output {
    tokio::time::sleep(moment).await;
    act.await
}

/// Starts what does not run and stops what does, as far as it gets before the process is gone.
async fn toggle(admin: &Client, id: &str, status: &str) {
    let action = if status == "running" { "stop" } else { "start" };
    let request = admin.request(reqwest::Method::POST, &format!("/api/apps/{id}/{action}?wait=false"));
    drop(request.json(&json!({})).send().await);
}

#[tokio::test]
async fn killed_at_any_moment_no_operation_is_lost_done_twice_or_eternal() {
    let (installation, mut serving, mut admin) = Installation::start().await;
    let apps: Vec<App> =
        (0..4).map(|number| App::new(&format!("killed{number}"), &samples::steady())).collect();
    let mut ids = vec![];
    for app in &apps {
        ids.push(installation.add(&admin, app).await);
    }
    let mut statuses = vec!["stopped".to_owned(); apps.len()];
    let mut dice = Dice(20);
    // From "not yet claimed" to "already ended": a start of one takes 1 s, of four at once 3 s.
    for longest in [80, 250, 1500, 4000].map(Duration::from_millis) {
        let moment = longest / 2 + dice.below(longest / 2);
        let toggles = ids.iter().zip(&statuses).map(|(id, status)| {
            let begin = dice.below(moment);
            after(begin, toggle(&admin, id, status))
        });
        let (toggles, kill) = (join_all(toggles.collect::<Vec<_>>()), after(moment, serving.kill()));
        tokio::join!(toggles, kill);
        (serving, admin) = installation.restart(&admin).await;
        installation.settled().await;
        for (index, app) in apps.iter().enumerate() {
            statuses[index] = installation.shows_what_is_so(&admin, &ids[index], app).await;
        }
        installation.each_ran_once().await;
    }
    for (id, app) in ids.iter().zip(&apps) {
        admin.post(&format!("/api/apps/{id}/stop"), json!({})).await.is(200);
        assert_eq!(running(app).await, 0);
    }
}

#[tokio::test]
async fn told_to_end_during_a_start_it_finishes_it_first() {
    let (installation, mut serving, admin) = Installation::start().await;
    let app = App::new("finished", &samples::steady());
    let id = installation.add(&admin, &app).await;
    let path = format!("/api/apps/{id}/start");
    let waiting = admin.post(&path, json!({}));
    let ending = async {
        installation.begun(1).await;
        serving.signal("TERM").await;
        let told = Instant::now();
        assert_eq!(serving.ended().await, Some(0));
        assert!(told.elapsed() < ENDED_WITHIN, "{:?}", told.elapsed());
    };
    let (answer, ()) = tokio::join!(waiting, ending);
    answer.is_refused(503, "service.stopping");
    let operations = installation.operations().await;
    assert_eq!((operations.len(), operations[0].1.as_str()), (1, "succeeded"), "{operations:?}");
    let (_serving, admin) = installation.restart(&admin).await;
    assert_eq!(installation.shows_what_is_so(&admin, &id, &app).await, "running");
    installation.each_ran_once().await;
}

#[tokio::test]
async fn told_to_end_during_a_start_that_hangs_it_ends_in_time_and_the_start_is_taken_up_later() {
    let (installation, mut serving, admin) = Installation::start().await;
    let app = App::new("hangs", &samples::hanging());
    let id = installation.add(&admin, &app).await;
    let start = admin.post(&format!("/api/apps/{id}/start?wait=false"), json!({})).await.is(202);
    installation.begun(1).await;
    serving.signal("TERM").await;
    let told = Instant::now();
    assert_eq!(serving.ended().await, Some(0), "{}", serving.said());
    assert!(told.elapsed() < ENDED_WITHIN, "{:?}", told.elapsed());

    let (_serving, admin) = installation.restart(&admin).await;
    let path = format!("/api/operations/{}", text(&start["id"]));
    admin.post(&format!("{path}/cancel"), json!({})).await.is(200);
    installation.settled().await;
    let ended = admin.get(&path).await.is(200);
    assert!(matches!(ended["state"].as_str(), Some("cancelled" | "lost")), "{ended}");
    installation.shows_what_is_so(&admin, &id, &app).await;
    installation.each_ran_once().await;
}

/// What was printed for the first administrator.
fn printed_password(serving: &Serving) -> String {
    let said = serving.said();
    let line = said.lines().find_map(|line| line.trim().strip_prefix("password  "));
    line.unwrap_or_else(|| panic!("no password is printed: {said}")).to_owned()
}

#[tokio::test]
async fn the_first_administrator_is_printed_once_and_is_there_after_a_kill() {
    let place = Place::embedded();
    let log = place.folder.path().join("log");
    let settings = [("LOG_FILE", log.to_str().unwrap())];
    let serving = place.serve(&settings).await;
    let password = printed_password(&serving);
    assert_eq!(serving.said().matches(&password).count(), 1);
    let admin = serving.client().sign_in("admin", &password).await;
    serving.kill().await;

    let serving = place.serve(&settings).await;
    let said = serving.said();
    assert!(!said.contains(&password) && !said.contains("password  "), "{said}");
    admin.at_base(&serving.base()).get("/api/auth/me").await.is(200);
    serving.client().sign_in("admin", &password).await;
    assert!(!fs::read_to_string(&log).unwrap().contains(&password));
}

#[tokio::test]
async fn secrets_are_their_owners_alone() {
    let place = Place::embedded();
    let _serving = place.serve(&[]).await;
    let folder = place.data_dir().join("secrets");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn a_second_one_on_a_data_directory_or_a_port_is_refused_and_the_first_is_not_disturbed() {
    let place = Place::embedded();
    let first = place.serve(&[]).await;
    let mut second = place.spawn(&[]);
    assert_eq!(second.ended().await, Some(1));
    assert!(second.said().contains("another Quaymaster"), "{}", second.said());

    let elsewhere = Place::embedded();
    let mut third = elsewhere.spawn_at(first.port, &[]);
    assert_eq!(third.ended().await, Some(1));
    let sentence = format!("cannot listen on 127.0.0.1:{}", first.port);
    let said = third.said();
    assert!(said.contains(&sentence) && said.contains("choose another PORT"), "{said}");
    assert!(!said.contains("password  "), "an administrator was made by one that never served: {said}");
    first.client().get("/health/ready").await.is(200);

    let mut third = elsewhere.spawn_at(free_port(), &[]);
    third.is_up().await;
    third.client().sign_in("admin", &printed_password(&third)).await;
}

#[tokio::test]
async fn a_first_start_that_is_killed_at_any_moment_is_made_good_by_the_next() {
    let mut dice = Dice(7);
    for _ in 0..5 {
        let place = Place::embedded();
        let half_made = place.spawn(&[]);
        after(dice.below(Duration::from_millis(1500)), half_made.kill()).await;
        let serving = place.serve(&[]).await;
        serving.client().get("/health").await.is(200);
        serving.kill().await;
        place.serve(&[]).await;
    }
}
