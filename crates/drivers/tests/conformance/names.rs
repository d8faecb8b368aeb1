//! Names are looked up beside the driver.

use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex};

use sockless_core::{Completion, ConnId, OpKind, is_cancelled};
use sockless_drivers::Lookup;

use crate::rig::{Make, Options, PATIENCE, Rig};

fn resolve(host: &str) -> OpKind {
    OpKind::Resolve {
        host: Arc::from(host),
        port: 443,
        found: Vec::new(),
    }
}

/// Names need no connection.
fn nowhere() -> ConnId {
    ConnId::from_u64(0)
}

fn found(completion: Completion) -> io::Result<Vec<IpAddr>> {
    completion.result?;
    match completion.op.kind {
        OpKind::Resolve { found, .. } => Ok(found),
        other => panic!("another operation: {other:?}"),
    }
}

fn with_lookup(make: Make, lookup: Lookup) -> Rig {
    Rig::with(
        make,
        Options {
            lookup: Some(lookup),
            ..Options::default()
        },
    )
}

fn addr(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

pub(crate) fn the_system_s_names_are_found(make: Make) {
    let mut rig = Rig::new(make);
    let found = found(rig.run(nowhere(), resolve("localhost"))).expect("addresses");
    assert!(!found.is_empty());
    assert!(found.iter().all(IpAddr::is_loopback), "{found:?}");
}

pub(crate) fn an_impossible_name_is_not_found(make: Make) {
    let mut rig = Rig::new(make);
    // Too long to be asked for on any network.
    let name = "a".repeat(300);
    let error = rig.failure(nowhere(), resolve(&name));
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains(&name), "{error}");
    let error = rig.failure(nowhere(), resolve("nul\0inside"));
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

pub(crate) fn addresses_keep_their_order_without_duplicates(make: Make) {
    let lookup: Lookup = Arc::new(|host, port| {
        assert_eq!((host, port), ("many.example", 443));
        Ok(["::2", "192.0.2.1", "::2", "::1", "192.0.2.1"]
            .map(addr)
            .to_vec())
    });
    let mut rig = with_lookup(make, lookup);
    let found = found(rig.run(nowhere(), resolve("many.example"))).expect("addresses");
    assert_eq!(found, ["::2", "192.0.2.1", "::1"].map(addr));
}

/// Lookups of `slow…` wait until it opens.
#[derive(Default)]
pub(crate) struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Default)]
struct GateState {
    open: bool,
    /// Lookups that came to it.
    came: usize,
}

impl Gate {
    pub(crate) fn open(&self) {
        self.state.lock().expect("no panic").open = true;
        self.changed.notify_all();
    }

    /// Blocks until that many lookups have come to it.
    fn wait_for_lookups(&self, count: usize) {
        let state = self.state.lock().expect("no panic");
        let fewer = |state: &mut GateState| state.came < count;
        let came = self.changed.wait_timeout_while(state, PATIENCE, fewer);
        assert!(!came.expect("no panic").1.timed_out(), "fewer lookups");
    }

    fn pass(&self) {
        let mut state = self.state.lock().expect("no panic");
        state.came += 1;
        self.changed.notify_all();
        let closed = |state: &mut GateState| !state.open;
        drop(self.changed.wait_while(state, closed).expect("no panic"));
    }

    pub(crate) fn lookup(self: &Arc<Self>) -> Lookup {
        let gate = Arc::clone(self);
        Arc::new(move |host, _| {
            if host.starts_with("slow") {
                gate.pass();
            }
            Ok(vec![addr("192.0.2.7")])
        })
    }
}

pub(crate) fn a_slow_name_does_not_hold_up_others(make: Make) {
    let gate = Arc::new(Gate::default());
    let mut rig = with_lookup(make, gate.lookup());
    let slow = rig.submit(nowhere(), resolve("slow.example"));
    let fast: Vec<_> = (0..20)
        .map(|_| rig.submit(nowhere(), resolve("fast.example")))
        .collect();
    for id in fast {
        assert_eq!(
            found(rig.outcome(id)).expect("addresses"),
            [addr("192.0.2.7")]
        );
    }
    assert!(!rig.has_arrived(slow));
    gate.open();
    assert_eq!(
        found(rig.outcome(slow)).expect("addresses"),
        [addr("192.0.2.7")]
    );
}

pub(crate) fn a_cancelled_name_comes_back_at_once(make: Make) {
    let gate = Arc::new(Gate::default());
    let mut rig = with_lookup(make, gate.lookup());
    // More than there are threads: some are being looked up, some only wait to be.
    let ids: Vec<_> = (0..20)
        .map(|_| rig.submit(nowhere(), resolve("slow.example")))
        .collect();
    rig.turn();
    for id in &ids {
        rig.driver.cancel(*id);
    }
    for id in ids {
        assert!(is_cancelled(&rig.outcome(id).result.expect_err("a cancel")));
    }
    // The late answers meet nobody.
    gate.open();
    let last = rig.run(nowhere(), resolve("slow.example"));
    assert_eq!(found(last).expect("addresses"), [addr("192.0.2.7")]);
    rig.expect_quiet();
}

pub(crate) fn cancelled_names_do_not_hold_up_others(make: Make) {
    let gate = Arc::new(Gate::default());
    let mut rig = with_lookup(make, gate.lookup());
    for round in 1..=3 {
        // As many as are looked up at a time, and one that waits behind them.
        let dead: Vec<_> = (0..4)
            .map(|_| rig.submit(nowhere(), resolve("slow.example")))
            .collect();
        let alive = rig.submit(nowhere(), resolve("fast.example"));
        rig.turn();
        gate.wait_for_lookups(round * 4);
        assert!(!rig.has_arrived(alive), "all threads are busy");
        for id in dead {
            rig.driver.cancel(id);
            let _ = rig.outcome(id);
        }
        let found = found(rig.outcome(alive)).expect("addresses");
        assert_eq!(found, [addr("192.0.2.7")]);
    }
    gate.open();
}

pub(crate) fn a_lookup_that_panics_is_an_error(make: Make) {
    let lookup: Lookup = Arc::new(|host, _| match host {
        "bad.example" => panic!("on purpose"),
        _ => Ok(vec![addr("192.0.2.7")]),
    });
    let mut rig = with_lookup(make, lookup);
    for _ in 0..10 {
        assert_eq!(
            rig.failure(nowhere(), resolve("bad.example")).kind(),
            ErrorKind::Other
        );
    }
    found(rig.run(nowhere(), resolve("good.example"))).expect("threads are left");
}
