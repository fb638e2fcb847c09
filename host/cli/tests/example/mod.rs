//! An example under `portcullis run`, with the policy that it comes with, or under
//! `portcullis serve`.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;

use portcullis_tests::{PATIENCE, component};
use tempfile::TempDir;

/// An example that is to be run once.
pub(crate) struct Example {
    name: &'static str,
    policy: String,
    options: Vec<String>,
    arguments: Vec<String>,
    environment: Vec<(&'static str, &'static str)>,
    /// Where what it does is learned, if it is.
    learned: Option<PathBuf>,
    /// Where the host listens for it, if it is a handler.
    listen: Vec<String>,
}

impl Example {
    /// The example `name`, with the policy from a file below `examples/`.
    pub(crate) fn named(name: &'static str, policy: &str) -> Self {
        let path = format!("{}/../../examples/{policy}", env!("CARGO_MANIFEST_DIR"));
        Self {
            name,
            policy: fs::read_to_string(path).unwrap(),
            options: Vec::new(),
            arguments: Vec::new(),
            environment: Vec::new(),
            learned: None,
            listen: Vec::new(),
        }
    }

    /// A handler, which is granted nothing.
    pub(crate) fn handler<'a>(
        name: &'static str,
        listen: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        Self {
            name,
            policy: String::new(),
            options: Vec::new(),
            arguments: Vec::new(),
            environment: Vec::new(),
            learned: None,
            listen: listen.into_iter().map(str::to_owned).collect(),
        }
        .without_policy()
    }

    /// The policy that it runs with.
    pub(crate) fn policy(&self) -> &str {
        &self.policy
    }

    /// Runs with another policy.
    pub(crate) fn under(mut self, policy: String) -> Self {
        self.policy = policy;
        self
    }

    /// Does not run with its policy, but learns what it lacks, into a file.
    pub(crate) fn learning(mut self, file: &Path) -> Self {
        self.learned = Some(file.to_owned());
        self
    }

    /// Says the same thing otherwise in the policy.
    #[track_caller]
    pub(crate) fn policy_with(mut self, written: &str, instead: &str) -> Self {
        assert!(self.policy.contains(written), "no {written} in the policy");
        self.policy = self.policy.replace(written, instead);
        self
    }

    /// Grants nothing.
    pub(crate) fn without_policy(mut self) -> Self {
        self.policy = "version = 1".into();
        self
    }

    /// The port that the policy names may be taken on this machine: the policy
    /// is told of `port` in its place, and the example as its next argument.
    #[track_caller]
    pub(crate) fn port(self, named: u16, port: u16) -> Self {
        self.policy_with(&format!(":{named}"), &format!(":{port}"))
            .arguments([&*format!("127.0.0.1:{port}")])
    }

    pub(crate) fn arguments<'a>(mut self, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        let arguments = arguments.into_iter().map(str::to_owned);
        self.arguments.extend(arguments);
        self
    }

    pub(crate) fn env(mut self, name: &'static str, value: &'static str) -> Self {
        self.options.extend(["--env".into(), name.into()]);
        self.environment.push((name, value));
        self
    }

    /// Lets it read a folder as `guest`.
    pub(crate) fn dir(mut self, host: &Path, guest: &str) -> Self {
        let mapped = format!("{}::{guest}", host.display());
        self.options.extend(["--dir".into(), mapped]);
        self
    }

    pub(crate) fn start(self) -> Running {
        let folder = TempDir::new().unwrap();
        let policy = folder.path().join("policy.toml");
        fs::write(&policy, self.policy).unwrap();
        let mut portcullis = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        match &self.learned {
            Some(learned) => portcullis.args(["learn", "--force", "-o"]).arg(learned),
            None if self.listen.is_empty() => portcullis.arg("run"),
            None => portcullis.arg("serve"),
        };
        for endpoint in &self.listen {
            portcullis.args(["--listen", endpoint]);
        }
        let child = portcullis
            .arg("--policy")
            .arg(policy)
            .args(self.options)
            .arg(component(self.name))
            .args(self.arguments)
            .envs(self.environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Running {
            _watch: watch(&child),
            child: Some(child),
            _folder: folder,
        }
    }

    /// Serves, and says where.
    pub(crate) fn serve(self) -> (Running, Vec<String>) {
        let count = self.listen.len();
        let mut running = self.start();
        let listens = running.complaints().take(count).map(|line| {
            let address = line.strip_prefix("portcullis: listens at ");
            let address = address.unwrap_or_else(|| panic!("{line}"));
            let bare = address.split_once("://").map_or(address, |(_, bare)| bare);
            bare.to_owned()
        });
        let addresses = listens.collect();
        (running, addresses)
    }

    /// Runs it to its end with `input` to read.
    pub(crate) fn finish(self, input: &str) -> Output {
        let mut running = self.start();
        // One that stops reading says why.
        let _ = running.stdin().write_all(input.as_bytes());
        running.finish()
    }

    /// Runs it to its end, which has to be that a request, or one that begins
    /// so, was denied.
    #[track_caller]
    pub(crate) fn assert_denied(self, request: &str) {
        let name = self.name;
        let output = self.finish("");
        let said = String::from_utf8(output.stderr).unwrap();
        let denied = format!("portcullis: denied  {request}");
        assert!(said.contains(&denied), "{name} was not {denied}:\n{said}");
        assert!(!output.status.success(), "{name} went on");
    }
}

/// An example that runs, killed when it is dropped.
pub(crate) struct Running {
    child: Option<Child>,
    /// Ends with what it watches.
    _watch: Sender<()>,
    _folder: TempDir,
}

impl Running {
    pub(crate) fn stdin(&mut self) -> ChildStdin {
        self.child().stdin.take().unwrap()
    }

    /// What it prints, line by line.
    pub(crate) fn lines(&mut self) -> impl Iterator<Item = String> + use<> {
        BufReader::new(self.child().stdout.take().unwrap())
            .lines()
            .map(Result::unwrap)
    }

    /// What it complains of, line by line.
    pub(crate) fn complaints(&mut self) -> impl Iterator<Item = String> + use<> {
        BufReader::new(self.child().stderr.take().unwrap())
            .lines()
            .map(Result::unwrap)
    }

    /// Presses Ctrl-C, and waits for its end.
    pub(crate) fn interrupt(mut self) -> Output {
        let process = self.child().id().to_string();
        let kill = Command::new("kill").args(["-INT", &process]).status();
        assert!(kill.unwrap().success());
        self.finish()
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Output {
        self.child.take().unwrap().wait_with_output().unwrap()
    }

    fn child(&mut self) -> &mut Child {
        self.child.as_mut().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Ends a process that waits for what does not come.
fn watch(child: &Child) -> Sender<()> {
    let (sender, ended) = mpsc::channel();
    let process = child.id().to_string();
    thread::spawn(move || {
        if ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            let _ = Command::new("kill").arg(process).status();
        }
    });
    sender
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
