//! What every driver has to keep, run on each of them.
#![cfg(all(unix, feature = "blocking", feature = "threaded"))]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the peers of a driver's tests are plain sockets and threads"
)]

#[path = "conformance/block_on.rs"]
mod block_on;
#[path = "conformance/cancel.rs"]
mod cancel;
#[path = "conformance/ending.rs"]
mod ending;
#[path = "conformance/failure.rs"]
mod failure;
#[path = "conformance/names.rs"]
mod names;
#[path = "conformance/rig.rs"]
mod rig;
#[path = "conformance/scale.rs"]
mod scale;
#[path = "conformance/transfer.rs"]
mod transfer;
#[path = "conformance/watched.rs"]
mod watched;

use rig::Options;
use sockless_core::Driver;
use sockless_drivers::{Blocking, DriverConfig, Threaded};

macro_rules! cases {
    ($make:path; $($module:ident: $($name:ident),+ $(,)?;)+) => {
        $($(
            #[test]
            fn $name() {
                crate::$module::$name($make);
            }
        )+)+
    };
}

macro_rules! suite {
    ($driver:ident, $make:path) => {
        mod $driver {
            cases! { $make;
                transfer:
                    a_receive_reports_bytes_and_leaves_growing_to_the_engine,
                    what_a_buffer_holds_stays_in_front,
                    a_receive_without_buffer_gets_one,
                    a_large_send_is_short_and_its_rest_can_follow,
                    pieces_are_sent_in_order,
                    both_directions_move_at_once,
                    half_close_leaves_the_other_half_open,
                    a_minimum_ends_at_the_peer_s_fin,
                    a_minimum_beyond_the_room_is_the_room,
                    a_minimum_does_not_stick,
                    datagrams_keep_their_borders,
                    unix_sockets_work,
                    ipv6_works,
                    a_connection_leaves_from_the_wanted_address;
                cancel:
                    a_cancelled_receive_comes_back_once_and_loses_nothing,
                    a_cancelled_receive_without_buffer_loses_nothing,
                    an_idle_receive_can_be_cancelled,
                    a_connect_can_be_cancelled,
                    a_send_that_waits_can_be_cancelled,
                    cancels_of_what_has_come_back_do_nothing;
                failure:
                    a_refused_connect_says_so,
                    a_reset_before_a_receive_is_its_error,
                    a_reset_during_a_receive_is_its_error,
                    a_reset_during_a_send_is_its_error,
                    a_reset_in_the_listener_s_queue_is_an_error,
                    operations_without_a_connection_fail,
                    a_closed_connection_s_id_stays_dead,
                    impossible_operations_are_refused,
                    ids_in_use_are_refused,
                    bad_unix_paths_are_refused;
                names:
                    the_system_s_names_are_found,
                    an_impossible_name_is_not_found,
                    addresses_keep_their_order_without_duplicates,
                    a_slow_name_does_not_hold_up_others,
                    a_cancelled_name_comes_back_at_once,
                    cancelled_names_do_not_hold_up_others,
                    a_lookup_that_panics_is_an_error;
                scale:
                    a_thousand_sockets_at_once,
                    more_receivers_than_buffers;
                ending:
                    a_deadline_ends_a_wait,
                    a_past_deadline_does_not_wait,
                    a_driver_can_go_with_operations_in_flight,
                    a_closed_connection_s_peer_sees_the_end,
                    a_close_ends_what_is_in_flight,
                    a_close_before_the_driver_looked_ends_what_was_submitted;
            }
        }
    };
}

fn plain_config(options: Options) -> DriverConfig {
    let config = DriverConfig::default();
    match options.lookup {
        Some(lookup) => config.lookup(lookup),
        None => config,
    }
}

fn blocking(options: Options) -> Box<dyn Driver> {
    Box::new(Blocking::with_config(plain_config(options)).expect("a pipe"))
}

fn threaded(options: Options) -> Box<dyn Driver> {
    let config = plain_config(options);
    let threaded = Threaded::new(move || Blocking::with_config(config)).expect("a thread");
    Box::new(rig::BlockOn(threaded))
}

suite!(on_blocking, crate::blocking);
suite!(on_a_thread, crate::threaded);

#[cfg(feature = "aio")]
fn aio(options: Options) -> Box<dyn Driver> {
    let driver = sockless_drivers::Aio::with_config(plain_config(options));
    Box::new(driver.expect("a pipe"))
}

#[cfg(feature = "aio")]
suite!(on_aio, crate::aio);

#[cfg(feature = "compio")]
mod on_compio {
    use super::*;
    use sockless_drivers::Compio;

    fn best(options: Options) -> Box<dyn Driver> {
        Box::new(Compio::with_config(plain_config(options)).expect("a proactor"))
    }

    fn polling(options: Options) -> Box<dyn Driver> {
        let driver = Compio::without_uring(plain_config(options)).expect("a proactor");
        assert!(!driver.is_uring());
        Box::new(driver)
    }

    fn threaded(options: Options) -> Box<dyn Driver> {
        let config = plain_config(options);
        let threaded = Threaded::new(move || Compio::with_config(config)).expect("a thread");
        Box::new(rig::BlockOn(threaded))
    }

    suite!(best, super::best);
    suite!(polling, super::polling);
    suite!(on_a_thread, super::threaded);
}

#[cfg(feature = "tokio")]
mod on_tokio {
    use super::*;
    use sockless_drivers::{Tokio, TokioAlone};

    fn alone(options: Options) -> Box<dyn Driver> {
        let driver = TokioAlone::with_config(plain_config(options));
        Box::new(driver.expect("descriptors are left"))
    }

    /// The async driver, awaited on a runtime's own thread, whose reactor is on others.
    fn on_a_runtime(options: Options) -> Box<dyn Driver> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let driver = {
            let _inside = runtime.enter();
            Tokio::with_config(plain_config(options)).expect("a runtime")
        };
        Box::new(rig::Inside::new(driver, runtime))
    }

    suite!(alone, super::alone);
    suite!(on_a_runtime, super::on_a_runtime);
}

#[cfg(all(target_os = "linux", feature = "uring"))]
mod linux {
    use super::*;
    use sockless_drivers::{Uring, UringConfig};

    fn config(options: Options) -> UringConfig {
        let mut config = UringConfig::default();
        if let Some(lookup) = options.lookup {
            config = config.lookup(lookup);
        }
        if let Some(buffers) = options.recv_buffers {
            config = config.recv_buffers(buffers);
        }
        config
    }

    fn uring(options: Options) -> Box<dyn Driver> {
        Box::new(Uring::with_config(config(options)).expect("io_uring is permitted"))
    }

    /// Also a small queue, which has to be handed over in several calls.
    fn baseline(options: Options) -> Box<dyn Driver> {
        let config = config(options).baseline(true).entries(4);
        Box::new(Uring::with_config(config).expect("io_uring is permitted"))
    }

    fn threaded(options: Options) -> Box<dyn Driver> {
        let config = config(options);
        let threaded = Threaded::new(move || Uring::with_config(config)).expect("a thread");
        Box::new(rig::BlockOn(threaded))
    }

    suite!(on_uring, super::uring);
    suite!(on_an_old_kernel_s_uring, super::baseline);
    suite!(on_a_uring_thread, super::threaded);
}
