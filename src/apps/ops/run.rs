//! What is done to apps on their hosts: start, stop, restart, pull, extend, cancel.

use chrono::TimeDelta;
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{App, Status, announce, lock_within, store, write};
use crate::{
    apps::policy::Reading,
    identity::{Permit, right::AppsOperate},
    journal::{self, Action as Audited, Author, Subject},
    operations::{
        Action, Operation, Request, Trigger,
        ops::{self as operations, Asked, Cancel},
    },
    platform::{Error, Result, Timestamp, id::AppId},
    services::Services,
};

/// How many due apps one transaction stops.
const DUE_AT_ONCE: i64 = 50;

/// Queues an action on an app, or joins the same one that is under way. `minutes` is for a start: how long it may run.
pub async fn ask(
    services: &Services,
    permit: &Permit<AppsOperate>,
    id: AppId,
    action: Action,
    minutes: Option<i32>,
) -> Result<Asked> {
    let now = services.clock.now();
    let mut tx = services.db.begin().await?;
    let app = lock_within(&mut tx, permit, id).await?;
    let details = match (action, minutes) {
        (Action::Start, Some(minutes)) => json!({"timeout": minutes}),
        (Action::Start | Action::Stop | Action::Restart | Action::Pull, _) => json!({}),
    };
    let wanted = Wanted { action, trigger: Trigger::User, author: permit.author(), minutes };
    let asked = queue(&mut tx, &app, &wanted, now, audited(action), details).await?;
    tx.commit().await?;
    Ok(asked)
}

fn audited(action: Action) -> Audited {
    match action {
        Action::Start => Audited::AppStart,
        Action::Stop => Audited::AppStop,
        Action::Restart => Audited::AppRestart,
        Action::Pull => Audited::AppPull,
    }
}

struct Wanted<'a> {
    action: Action,
    trigger: Trigger,
    author: &'a Author,
    minutes: Option<i32>,
}

/// Writes the operation, the app's state while it is done, and the audit row.
async fn queue(
    db: &mut PgConnection,
    app: &App,
    wanted: &Wanted<'_>,
    now: Timestamp,
    audited: Audited,
    mut details: Value,
) -> Result<Asked> {
    let request = Request {
        app: app.id,
        project: app.project,
        server: app.server,
        action: wanted.action,
        trigger: wanted.trigger,
        author: wanted.author.clone(),
        timeout_minutes: wanted.minutes,
    };
    let asked = operations::ask(db, now, &request).await?;
    if let Asked::Queued(operation) = &asked {
        let status = match wanted.action {
            Action::Start | Action::Restart => Status::Starting,
            Action::Stop => Status::Stopping,
            Action::Pull => app.status,
        };
        let reading = Reading { status, reason: None, ..Reading::of(app) };
        if status != app.status {
            write(db, app, &reading, now).await?;
        }
        if let Value::Object(members) = &mut details {
            members.insert("operationId".to_owned(), json!(operation.id));
        }
        journal::record(db, now, wanted.author, audited, Subject::App(app.id), details).await?;
    }
    Ok(asked)
}

/// Moves the time at which the app is stopped. Gives the app as it is then.
pub async fn extend(
    services: &Services,
    permit: &Permit<AppsOperate>,
    id: AppId,
    minutes: i32,
) -> Result<App> {
    let now = services.clock.now();
    let mut tx = services.db.begin().await?;
    let app = lock_within(&mut tx, permit, id).await?;
    let Some(stop_at) = app.stop_at else {
        return Err(Error::conflict(
            "app.no_stop_time",
            "the app is not going to be stopped by itself, so there is nothing to extend",
        ));
    };
    // One whose time was over a moment ago is given the minutes from now.
    let later = stop_at.max(now) + TimeDelta::minutes(minutes.into());
    let run_minutes = app.run_minutes.unwrap_or(0).saturating_add(minutes);
    store::set_stop_at(&mut tx, id, later, run_minutes).await?;
    let details = json!({
        "minutes": minutes, "from": stop_at.timestamp_millis(), "to": later.timestamp_millis(),
    });
    journal::record(&mut tx, now, permit.author(), Audited::AppExtend, Subject::App(id), details).await?;
    announce(&mut tx, &app, &Reading::of(&app), now).await?;
    tx.commit().await?;
    Ok(App { stop_at: Some(later), run_minutes: Some(run_minutes), ..app })
}

/// Cancels an operation. One that was still waiting leaves its app as it was.
pub async fn cancel(services: &Services, permit: &Permit<AppsOperate>, operation: &Operation) -> Result<()> {
    let now = services.clock.now();
    let mut tx = services.db.begin().await?;
    let app = lock_within(&mut tx, permit, operation.app).await?;
    match operations::cancel(&mut tx, now, permit, operation).await? {
        Cancel::Ended => restore(&mut tx, &app, operation.action, now).await?,
        Cancel::Asked => {}
        Cancel::Nothing => {
            return Err(Error::conflict(
                "operation.finished",
                "the operation has ended, or is being cancelled",
            )
            .with("operationId", operation.id.to_string()));
        }
    }
    tx.commit().await?;
    Ok(())
}

/// Nothing was done: the app is what it was before the operation was queued.
async fn restore(db: &mut PgConnection, app: &App, action: Action, now: Timestamp) -> Result<()> {
    match action {
        Action::Pull => return Ok(()),
        Action::Start | Action::Stop | Action::Restart => {}
    }
    let (status, reason) = store::state_before(db, app.id).await?.unwrap_or((Status::Unknown, None));
    write(db, app, &Reading { status, reason, ..Reading::of(app) }, now).await?;
    store::schedule_check(db, app.id, now).await
}

/// Queues the stop of every app whose time is over, each once over all replicas. Gives how many.
pub async fn stop_due(services: &Services) -> Result<usize> {
    let now = services.clock.now();
    let mut tx = services.db.begin().await?;
    let due = store::lock_due(&mut tx, now, DUE_AT_ONCE).await?;
    let mut stopped = 0;
    for app in &due {
        let nobody = Author::default();
        let wanted =
            Wanted { action: Action::Stop, trigger: Trigger::AutoStop, author: &nobody, minutes: None };
        let details = json!({"reason": "timeout", "timeout": app.run_minutes});
        match queue(&mut tx, app, &wanted, now, Audited::AutoStop, details).await {
            Ok(_) => {
                store::clear_stop_at(&mut tx, app.id).await?;
                stopped += 1;
            }
            // It is being pulled, say: its time is still over at the next tick.
            Err(error) if error.code == "app.busy" => {}
            Err(error) => return Err(error),
        }
    }
    tx.commit().await?;
    Ok(stopped)
}
