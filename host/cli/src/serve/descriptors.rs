//! How many descriptors the process may have: as many as it is let have.

use portcullis::usable_descriptors;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::arguments::BoundArguments;
use crate::complaints::say;

/// What the process has open beside connections: its listeners, files and what the
/// runtime waits with.
const BESIDE: u64 = 64;

/// Raises the limit to what this process may raise it to, and says so where that is
/// less than the connections need.
pub(crate) fn raise(bounds: &BoundArguments) {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    // Where this fails it is as it was, and what follows says whether that will do.
    let _ = setrlimit(Resource::Nofile, raised);
    let connections = u64::from(bounds.bounds().connections);
    let Some(usable) = usable_descriptors() else {
        return;
    };
    if connections + BESIDE > usable {
        let room = usable.saturating_sub(BESIDE);
        say(&format!(
            "warning: there are descriptors for some {room} connections, and not for \
             --max-connections {connections}; raise `ulimit -n` (systemd: LimitNOFILE=)"
        ));
    }
}
