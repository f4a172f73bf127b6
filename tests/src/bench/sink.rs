//! Kafka Connect with Debezium's JDBC sink, which writes the rows of a topic into a table: the usual alternative to a
//! custom projector. At least once, no fold.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::rows::{self, Form, Rows};
use crate::world::process::Process;
use crate::world::{World, port};

/// The variable in which `tests/bench` gives Maven's folder of jars.
const JARS: &str = "YOMITORI_CONNECT";
/// Number of partitions that are read concurrently.
const TASKS: usize = 2;

/// The rate of rows into the table. The inner error names the missing program.
///
/// # Errors
/// If Connect does not start, or loses rows.
pub async fn measure(world: &World, rows: &Rows) -> Result<Result<f64, String>> {
    let Some(jars) = std::env::var_os(JARS).map(PathBuf::from).filter(|jars| jars.exists()) else {
        return Ok(Err("Kafka Connect is not measured: Maven could not bring it".to_owned()));
    };
    let topic = format!("{}-schema", world.topic);
    rows.produce(&world.kafka.address, &topic, Form::WithSchema).await?;
    let folder = world.new_folder("connect")?;
    let worker = worker(&world.kafka.address, port::free()?, &folder);
    let sink = sink(world, &topic)?;
    let (worker_file, sink_file) = (folder.join("worker.properties"), folder.join("sink.properties"));
    std::fs::write(&worker_file, worker).context("write the worker's settings")?;
    std::fs::write(&sink_file, sink).context("write the sink's settings")?;
    let mut command = Command::new("java");
    command
        .args(["-Xmx1g", "-XX:+UseParallelGC"])
        .arg("-cp")
        .arg(jars.join("*"))
        .arg("org.apache.kafka.connect.cli.ConnectStandalone");
    command.arg(&worker_file).arg(&sink_file);
    let store = world.store().await?;
    // The table that the sink would create. Two tasks that both create it fail.
    let table = format!(
        "CREATE TABLE sunk (__connect_topic text, __connect_partition int4, __connect_offset int8, {}, \
         PRIMARY KEY (__connect_topic, __connect_partition, __connect_offset))",
        rows::TABLE
    );
    store.batch_execute(&table).await.context("make a table")?;
    let process = Process::start("Kafka Connect", command, &folder.join("connect.log"))?;
    let rate = rows::counted(&store, "sunk", rows.len()).await;
    rate.map(Ok).map_err(|error| process.explain(error))
}

fn worker(address: &str, port: u16, folder: &Path) -> String {
    format!(
        "bootstrap.servers={address}\nlisteners=http://127.0.0.1:{port}\nplugin.discovery=service_load\n\
         key.converter=org.apache.kafka.connect.storage.StringConverter\n\
         value.converter=org.apache.kafka.connect.json.JsonConverter\nvalue.converter.schemas.enable=true\n\
         offset.storage.file.filename={}\noffset.flush.interval.ms=10000\n\
         consumer.auto.offset.reset=earliest\nconsumer.max.poll.records=5000\nconsumer.fetch.min.bytes=1000000\n\
         consumer.max.partition.fetch.bytes=10000000\n",
        folder.join("offsets").display()
    )
}

fn sink(world: &World, topic: &str) -> Result<String> {
    let database: tokio_postgres::Config = world.database.parse().context("the database's address")?;
    let password = database.get_password().map(String::from_utf8_lossy).context("the database's password")?;
    let (port, name) = (database.get_ports().first(), database.get_dbname());
    Ok(format!(
        "name=facts\nconnector.class=io.debezium.connector.jdbc.JdbcSinkConnector\ntasks.max={TASKS}\ntopics={topic}\n\
         connection.url=jdbc:postgresql://127.0.0.1:{}/{}?reWriteBatchedInserts=true\n\
         connection.username=postgres\nconnection.password={password}\n\
         insert.mode=insert\nprimary.key.mode=kafka\nschema.evolution=none\nbatch.size=5000\n\
         collection.name.format=public.sunk\n",
        port.context("the database's port")?,
        name.context("the database's name")?,
    ))
}
