//! Growth of cost: the same stages with more events, and with more facilities. The bench measures processor time per
//! event, so the load of the machine has little influence.

use anyhow::{Context, Result};
use tokio_postgres::Client;

use super::figures::{Bar, Figure, Report};
use super::number::number;
use super::stage::{self, Cost};
use super::{meter, topic, traffic};
use crate::world::server::{Plan as ServerPlan, Server};
use crate::world::{World, postgres};
use yomitori_simulation::log;

/// Events, in millions.
const MILLIONS: [u64; 3] = [1, 10, 100];
/// Number of events while the number of facilities grows. At the largest size each facility's events fill one record.
const EVENTS: u64 = 2_300_000;
const FLEETS: [u64; 3] = [1_000, 10_000, 230_000];
/// Permitted ratio of an event's cost to its cost at one million events.
const CONSTANT: f64 = 1.2;

/// The stages and sizes to measure.
#[derive(clap::Args, Debug)]
pub struct Plan {
    /// The most events, in millions: 1, 10 or 100.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=100))]
    most: u64,
    /// The most events that the live projection folds, in millions: a hundred need an hour and 30 GB. Above this size
    /// the store is marked as folded, and only the rebuild is measured.
    #[arg(long, default_value_t = 10)]
    live_most: u64,
    /// Number of facilities while the number of events grows: few enough that the state of each facility is full.
    #[arg(long, default_value_t = 1000)]
    facilities: u64,
    /// Events in one record of the log.
    #[arg(long, default_value_t = 10)]
    batch: usize,
    /// Vary only the number of events, not of facilities.
    #[arg(long)]
    events_only: bool,
}

/// The cost of an event at one size.
struct Point {
    what: String,
    events: u64,
    live: Option<Cost>,
    verify: Option<Cost>,
    rebuild: Cost,
    /// Bytes per event.
    log: f64,
    store: Option<f64>,
}

type StageOf = fn(&Point) -> Option<Cost>;

/// Measures all sizes.
///
/// # Errors
/// If a part does not start, or data are lost.
pub async fn measure(plan: &Plan, report: &Report) -> Result<()> {
    let mut points = Vec::new();
    for millions in MILLIONS.into_iter().filter(|millions| *millions <= plan.most) {
        let what = format!("{millions} million events");
        points.push(point(what, millions * 1_000_000, plan.facilities, plan, report).await?);
    }
    report_growth(&points, Some(Bar::RatioAtMost(CONSTANT)), report);
    if plan.events_only {
        return Ok(());
    }
    let mut points = Vec::new();
    for facilities in FLEETS {
        let what = format!("{} facilities", number(whole(facilities)));
        points.push(point(what, EVENTS, facilities, plan, report).await?);
    }
    report_growth(&points, None, report);
    Ok(())
}

async fn point(what: String, events: u64, facilities: u64, plan: &Plan, report: &Report) -> Result<Point> {
    let world = World::new("bench-growth").await?;
    let mut server = Server::prepare(&world, ServerPlan { roles: "projector,web", ..ServerPlan::default() }).await?;
    let (address, topic, batch) = (world.kafka.address.clone(), world.topic.clone(), plan.batch);
    let day = traffic::day(&traffic::example()?, events / facilities)?;
    let events = day.len() as u64 * facilities;
    report.say(&format!("{what}: {} events of {} facilities", number(whole(events)), number(whole(facilities))));
    let produce = move || log::append(&address, &topic, traffic::side_by_side(&day, facilities, batch));
    let records = tokio::task::spawn_blocking(produce).await??;
    let log = whole(meter::bytes_of_log(&world.topic)?) / whole(events);
    let store = world.store().await?;

    let is_live = events <= plan.live_most * 1_000_000;
    let (mut live, mut verify, mut bytes) = (None, None, None);
    if is_live {
        let cost = stage::project(&mut server, &store, records).await?;
        report.say(&line("projector", &cost, events));
        live = Some(cost);
        let size: i64 = store.query_one("SELECT pg_database_size(current_database())", &[]).await?.get(0);
        bytes = Some(whole(size.cast_unsigned()) / whole(events));
        let cost = stage::run(&server, &["log", "verify"], &world).await?;
        report.say(&line("log verify", &cost, events));
        verify = Some(cost);
    } else {
        pretend_folded(&store, &world).await?;
    }
    let rebuild = stage::run(&server, &["rebuild"], &world).await?;
    report.say(&line("rebuild", &rebuild, events));

    drop((server, store));
    postgres::connect(&world.postgres.url)
        .await?
        .batch_execute(&format!("DROP DATABASE \"{}\" WITH (FORCE)", world.topic))
        .await
        .context("give the disk back")?;
    topic::delete(&world.kafka.address, &world.topic).await?;
    Ok(Point { what, events, live, verify, rebuild, log, store: bytes })
}

/// Marks the whole log as folded by the live generation, because folding it would take hours. A rebuild copies the
/// facts that exist and only reads the position.
async fn pretend_folded(store: &Client, world: &World) -> Result<()> {
    let (address, topic) = (world.kafka.address.clone(), world.topic.clone());
    let ends = tokio::task::spawn_blocking(move || topic::Ends::of(&address, &topic)?.all()).await??;
    for (partition, end) in ends {
        let said = "INSERT INTO projection.progress (partition, next_offset) VALUES ($1, $2) \
                    ON CONFLICT (partition) DO UPDATE SET next_offset = EXCLUDED.next_offset";
        store.execute(said, &[&partition, &end]).await.context("set the position of the projection")?;
    }
    Ok(())
}

fn line(what: &str, cost: &Cost, events: u64) -> String {
    let (rate, own, both) = (cost.rate(events), cost.own_per_event(events), cost.per_event(events));
    format!(
        "  {what:<12} {:>7.1} s  {:>11} events/s  {own:.2} µs an event, with PostgreSQL {both:.2}, {:.0} MiB",
        cost.took.as_secs_f64(),
        number(rate),
        cost.memory
    )
}

/// Reports each size next to the smallest.
fn report_growth(points: &[Point], bar: Option<Bar>, report: &Report) {
    let costs: [(&str, StageOf); 3] = [
        ("projector", |point| point.live),
        ("log verify", |point| point.verify),
        ("rebuild", |point| Some(point.rebuild)),
    ];
    for (stage, cost) in costs {
        let per_event = |point: &Point| Some(cost(point)?.per_event(point.events));
        row(points, &format!("{stage}, processor with PostgreSQL"), "µs an event", bar, report, per_event);
        let rate = |point: &Point| Some(cost(point)?.rate(point.events));
        row(points, &format!("{stage}, speed"), "events/s", None, report, rate);
        let memory = |point: &Point| Some(cost(point)?.memory);
        row(points, &format!("{stage}, most memory"), "MiB", None, report, memory);
    }
    row(points, "log on disk", "bytes an event", bar, report, |point| Some(point.log));
    row(points, "store on disk", "bytes an event", bar, report, |point| point.store);
}

fn row(
    points: &[Point],
    what: &str,
    unit: &str,
    bar: Option<Bar>,
    report: &Report,
    of: impl Fn(&Point) -> Option<f64>,
) {
    let mut smallest: Option<(&str, f64)> = None;
    for point in points {
        let Some(value) = of(point) else { continue };
        let mut figure = Figure::new(format!("{what}, {}", point.what), value, unit);
        if let Some((beside, value)) = smallest {
            figure = figure.beside(beside, value);
            figure.bar = bar;
        }
        smallest.get_or_insert((&point.what, value));
        report.add(figure);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count")]
const fn whole(count: u64) -> f64 {
    count as f64
}
