//! Sender and receiver as a pair over a wire that loses, duplicates, delays and reorders messages, with connections
//! that break and a server that dies, all by a virtual clock. The checks of a run are in `World::judge`.

mod world;

use proptest::prelude::{ProptestConfig, Strategy, any, prop_oneof, proptest};

use crate::world::{Faults, World};

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn everything_kept_is_appended_in_order_and_only_then_released(
        seed in any::<u64>(),
        backlog in 0..300_u64,
        faults in faults(),
    ) {
        let mut world = World::new(seed, faults);
        world.keep(backlog);
        world.run_with_faults(200);
        world.run_to_the_end();
        world.judge();
    }
}

#[test]
fn a_good_wire_carries_everything_exactly_once() {
    for seed in 0..20 {
        let mut world = World::new(seed, Faults::NONE);
        world.keep(250);
        world.run_with_faults(100);
        world.run_to_the_end();
        world.judge();
        assert_eq!(world.log, (1..=350).collect::<Vec<u64>>(), "seed {seed}");
        assert_eq!(world.connections, 1, "seed {seed}");
    }
}

#[test]
fn a_silent_server_is_given_up_and_the_next_one_receives_everything() {
    let mut world = World::new(7, Faults { lose: 1000, ..Faults::NONE });
    world.keep(30);
    world.run_with_faults(1);
    assert!(world.connections > 1);
    assert_eq!(world.log, []);
    world.run_to_the_end();
    world.judge();
}

/// Each fault is absent in some runs, so that the others also occur alone.
fn faults() -> impl Strategy<Value = Faults> {
    let rate = |most: u32| prop_oneof![1 => 0..=0_u32, 2 => 0..=most];
    (rate(300), rate(300), rate(3000), any::<bool>(), rate(30), rate(20), rate(100), rate(30)).prop_map(
        |(lose, double, delay_ms, reorder, hang_up, crash, slow_down, shed)| Faults {
            lose,
            double,
            delay_ms: delay_ms.into(),
            reorder,
            hang_up,
            crash,
            slow_down,
            shed,
        },
    )
}
