//! The decisions: who is shown which event, and whether a reader who was away can go on.

use super::{Event, View};

/// What a reader who was away may be behind; further back it is told to start over, which costs less.
pub const MAX_MISSED: usize = 1000;

pub fn may_see(view: &View, event: &Event) -> bool {
    match view {
        View::Everything => true,
        View::Parts { projects, servers } => {
            event.project.is_some_and(|project| projects.contains(&project))
                || event.server.is_some_and(|server| servers.contains(&server))
        }
    }
}

/// The positions that the table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    pub first: i64,
    pub last: i64,
}

/// Whether everything after the position `seen` is still there. A position beyond the last was given by another database.
pub fn is_whole_after(seen: i64, kept: Option<Kept>) -> bool {
    match kept {
        Some(Kept { first, last }) => (first - 1..=last).contains(&seen),
        None => seen == 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::id::{ProjectId, ServerId};

    fn event(project: Option<ProjectId>, server: Option<ServerId>) -> Event {
        Event { position: 1, kind: "app.status", project, server, data: "{}".into() }
    }

    #[test]
    fn a_view_in_parts_shows_its_projects_and_their_servers_only() {
        let (project, server) = (ProjectId::make(), ServerId::make());
        let view = View::Parts { projects: [project].into(), servers: [server].into() };
        assert!(may_see(&view, &event(Some(project), None)));
        assert!(may_see(&view, &event(None, Some(server))));
        assert!(!may_see(&view, &event(Some(ProjectId::make()), None)));
        assert!(!may_see(&view, &event(None, Some(ServerId::make()))));
        assert!(!may_see(&view, &event(None, None)));
        assert!(may_see(&View::Everything, &event(None, None)));
    }

    #[test]
    fn a_reader_goes_on_only_where_nothing_is_gone() {
        let kept = Some(Kept { first: 5, last: 9 });
        for (seen, whole) in [(3, false), (4, true), (9, true), (10, false)] {
            assert_eq!(is_whole_after(seen, kept), whole, "{seen}");
        }
        assert!(is_whole_after(0, None));
        assert!(!is_whole_after(1, None));
    }
}
