//! The guest that does what it reads: an instance of its own for each sequence,
//! so that none leaves anything to the next.

use std::sync::{Arc, Mutex};
use std::{fs, io};

use portcullis::wasmtime_wasi::WasiCtx;
use portcullis::wasmtime_wasi::p2::pipe::{MemoryInputPipe, MemoryOutputPipe};
use portcullis::{
    Audit, Ctx, Denied, Event, Network, Outcome as Ended, Policy, Program, Refused, TableResolver,
};
use portcullis_test_operations::{Case, Outcome, decode, encode};
use portcullis_tests::{ENGINE, PATIENCE, component};
use tokio::runtime::Runtime;

/// What standard output may hold: the largest sequence receives less.
const ROOM: usize = 64 << 20;

pub(crate) struct Guest {
    program: Program,
    policy: Policy,
    runtime: Runtime,
}

impl Guest {
    /// A guest that may use any address of this machine, and unix sockets in
    /// `folder` and abstract ones.
    pub(crate) fn new(folder: &str) -> Self {
        let mut policy = Policy::builder();
        for verb in ["listen", "connect"] {
            for endpoint in [
                "tcp://any:*".to_owned(),
                "udp://any:*".to_owned(),
                format!("unix:{folder}/**"),
                format!("unixgram:{folder}/**"),
                "unix:@*".to_owned(),
                "unixgram:@*".to_owned(),
            ] {
                policy = policy.allow(&format!("{verb} {endpoint}"));
            }
        }
        policy = policy.allow("join udp://multicast:*");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        Self {
            program: Program::load(&ENGINE, &component("differential")).unwrap(),
            policy: policy.build().unwrap(),
            runtime: runtime.unwrap(),
        }
    }

    /// What came of each operation, and what was denied.
    pub(crate) fn run(&self, case: &Case) -> (Vec<Outcome>, Vec<String>) {
        let denials = Denials::default();
        let network = Network::new(self.policy.clone())
            .with_resolver(TableResolver::default())
            .with_audit(denials.clone());
        let output = MemoryOutputPipe::new(ROOM);
        let wasi = WasiCtx::builder()
            .stdin(MemoryInputPipe::new(encode(case)))
            .stdout(output.clone())
            .inherit_stderr()
            .build();
        let ended = self.runtime.block_on(async {
            let run = tokio::time::timeout(PATIENCE, self.program.run(wasi, Ctx::new(network)));
            run.await.expect("the guest does not end").unwrap()
        });
        let descriptors = fs::read_dir("/proc/self/fd").unwrap().count();
        assert!(descriptors < 200, "{descriptors} descriptors are left open");
        assert!(matches!(ended, Ended::Exit(0)), "{ended:?}");
        let denials = denials.0.lock().unwrap().clone();
        (decode(&output.contents()), denials)
    }
}

/// An audit that remembers denials: there should be none.
#[derive(Clone, Default)]
struct Denials(Arc<Mutex<Vec<String>>>);

impl Audit for Denials {
    fn record(&self, event: Event<'_>) -> io::Result<()> {
        if let Event::Denied(Denied { denial, .. }) | Event::Refused(Refused { denial, .. }) = event
        {
            self.0.lock().unwrap().push(denial.report().to_string());
        }
        Ok(())
    }
}
