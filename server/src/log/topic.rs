//! The topic of facts: how it is created, and which settings of an existing one endanger the history.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode;

use super::kafka::{self, ASK_LIMIT, RECORD_LIMIT, TopicError};
use crate::config;

/// What was done about the topic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TopicOrigin {
    Created,
    /// It existed, with this many records.
    Found {
        records: u64,
    },
}

/// A setting of the topic that differs from what the history needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SettingProblem {
    /// Kafka deletes or refuses facts because of it; otherwise they are at risk in a fault only.
    pub loses_facts: bool,
    /// What follows from it, in one sentence.
    pub consequence: String,
    /// The value to set, as `kafka-configs.sh --add-config` takes it; empty if no setting of the topic helps.
    pub fix: &'static str,
}

/// Creates the topic of facts unless it exists: unlimited retention, never compacted.
///
/// # Errors
/// If Kafka cannot be reached or rejects the topic.
pub async fn create(kafka: &config::Kafka) -> Result<TopicOrigin, TopicError> {
    let replicas = if kafka.replication >= 3 { "2" } else { "1" };
    let new = NewTopic::new(&kafka.topic, kafka.partitions, TopicReplication::Fixed(kafka.replication))
        .set("retention.ms", "-1")
        .set("retention.bytes", "-1")
        .set("cleanup.policy", "delete")
        .set("min.insync.replicas", replicas)
        .set("message.timestamp.type", "LogAppendTime");
    if create_new(kafka, &new).await? {
        return Ok(TopicOrigin::Created);
    }
    let asked = kafka.clone();
    let bounds = tokio::task::spawn_blocking(move || kafka::bounds(&asked)).await;
    let bounds = bounds.expect("asking for the ends does not panic")?;
    let records = bounds.values().map(|(begins, ends)| ends.abs_diff(*begins)).sum();
    Ok(TopicOrigin::Found { records })
}

/// Creates a topic. Returns whether it is new.
///
/// # Errors
/// If Kafka cannot be reached or rejects the topic.
pub(super) async fn create_new(kafka: &config::Kafka, new: &NewTopic<'_>) -> Result<bool, TopicError> {
    let topic = || new.name.to_owned();
    let admin: AdminClient<DefaultClientContext> =
        kafka::client(kafka).create().map_err(|source| TopicError::Create { topic: topic(), source })?;
    let answers = admin.create_topics([new], &options()).await;
    let answers =
        answers.map_err(|source| TopicError::Unreachable { servers: kafka.bootstrap_servers.clone(), source })?;
    match answers.into_iter().next() {
        None | Some(Ok(_)) => Ok(true),
        Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(false),
        Some(Err((_, code))) => Err(TopicError::Refused { topic: topic(), code }),
    }
}

/// What is wrong with the settings of the topic.
///
/// # Errors
/// If Kafka cannot be reached or the topic does not exist.
pub async fn problems(kafka: &config::Kafka) -> Result<Vec<SettingProblem>, TopicError> {
    let unreachable = |source| TopicError::Unreachable { servers: kafka.bootstrap_servers.clone(), source };
    let asked = kafka.clone();
    let replicas = tokio::task::spawn_blocking(move || kafka::replicas(&asked)).await;
    let replicas = replicas.expect("asking for the replicas does not panic")?;
    let admin: AdminClient<DefaultClientContext> = kafka::client(kafka).create().map_err(unreachable)?;
    let topic = ResourceSpecifier::Topic(&kafka.topic);
    let answers = admin.describe_configs([&topic], &options()).await.map_err(unreachable)?;
    let Some(Ok(found)) = answers.into_iter().next() else {
        return Ok(vec![SettingProblem {
            loses_facts: false,
            consequence: "its settings can't be read (does this user have the right to describe them?)".to_owned(),
            fix: "",
        }]);
    };
    let settings = found.entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?))).collect();
    Ok(judge(&settings, replicas))
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(ASK_LIMIT)).request_timeout(Some(ASK_LIMIT * 2))
}

/// The problems as a report, with the command that ends them.
#[must_use]
pub fn report<'a>(kafka: &config::Kafka, problems: impl IntoIterator<Item = &'a SettingProblem>) -> String {
    let (mut text, mut fixes) = (String::new(), Vec::new());
    for problem in problems {
        let joint = if text.is_empty() { "" } else { "; " };
        // Writing to a string does not fail.
        write!(text, "{joint}topic `{}`: {}", kafka.topic, problem.consequence).ok();
        fixes.extend(Some(problem.fix).filter(|fix| !fix.is_empty()));
    }
    if !fixes.is_empty() {
        let (servers, topic, fixes) = (&kafka.bootstrap_servers, &kafka.topic, fixes.join(","));
        let command = format!(
            " (run `kafka-configs.sh --bootstrap-server {servers} --alter --entity-type topics --entity-name {topic} \
             --add-config {fixes}`)"
        );
        text.push_str(&command);
    }
    text
}

/// Judges settings as Kafka names them.
fn judge(settings: &BTreeMap<String, String>, replicas: usize) -> Vec<SettingProblem> {
    let value = |name: &str| settings.get(name).map_or("", String::as_str);
    let number = |name: &str| value(name).parse::<i64>().ok();
    let mut problems = Vec::new();
    let mut found = |loses_facts, consequence: String, fix| {
        problems.push(SettingProblem { loses_facts, consequence, fix });
    };
    let policy = value("cleanup.policy");
    if policy.contains("compact") {
        let consequence = format!("cleanup.policy is `{policy}`: Kafka keeps only the newest record of a facility");
        found(true, consequence, "cleanup.policy=delete");
    }
    if let Some(ms) = number("retention.ms").filter(|ms| *ms >= 0) {
        found(true, format!("retention.ms is {ms}: Kafka deletes records that are older"), "retention.ms=-1");
    }
    if let Some(bytes) = number("retention.bytes").filter(|bytes| *bytes >= 0) {
        let consequence = format!("retention.bytes is {bytes}: Kafka deletes the oldest records of a larger partition");
        found(true, consequence, "retention.bytes=-1");
    }
    // A batch has a head of 61 bytes, and a record one of up to 30 with its key.
    let smallest = RECORD_LIMIT + 200;
    if let Some(bytes) = number("max.message.bytes").filter(|bytes| usize::try_from(*bytes).is_ok_and(|b| b < smallest))
    {
        let consequence = format!("max.message.bytes is {bytes}: Kafka refuses the largest batches of a terminal");
        found(true, consequence, "max.message.bytes=1048588");
    }
    let stamp = value("message.timestamp.type");
    if !stamp.is_empty() && stamp != "LogAppendTime" {
        let consequence = format!("message.timestamp.type is `{stamp}`: a wrong clock of a server dates its segments");
        found(false, consequence, "message.timestamp.type=LogAppendTime");
    }
    if replicas >= 3 {
        if let Some(in_sync) = number("min.insync.replicas").filter(|in_sync| *in_sync < 2) {
            let consequence = format!(
                "min.insync.replicas is {in_sync}: a record is confirmed while one broker alone has it, and is lost with it"
            );
            found(false, consequence, "min.insync.replicas=2");
        }
    } else if number("flush.messages") != Some(1) {
        let consequence = format!(
            "it has {replicas} of 3 replicas and flush.messages is not 1: a power cut of the broker may lose records of the \
             last seconds that terminals have deleted"
        );
        found(false, consequence, "flush.messages=1");
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(changed: &[(&str, &str)]) -> BTreeMap<String, String> {
        let right = [
            ("cleanup.policy", "delete"),
            ("retention.ms", "-1"),
            ("retention.bytes", "-1"),
            ("max.message.bytes", "1048588"),
            ("message.timestamp.type", "LogAppendTime"),
            ("min.insync.replicas", "2"),
            ("flush.messages", "9223372036854775807"),
        ];
        right.iter().chain(changed).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_topic_of_three_replicas_with_unlimited_retention_is_right() {
        assert!(judge(&settings(&[]), 3).is_empty());
        assert!(judge(&settings(&[("flush.messages", "1"), ("min.insync.replicas", "1")]), 1).is_empty());
    }

    #[test]
    fn each_setting_that_deletes_facts_is_found() {
        for (name, value) in [
            ("cleanup.policy", "compact"),
            ("cleanup.policy", "compact,delete"),
            ("retention.ms", "604800000"),
            ("retention.ms", "0"),
            ("retention.bytes", "1073741824"),
            ("max.message.bytes", "1000000"),
        ] {
            let found = judge(&settings(&[(name, value)]), 3);
            assert!(found.len() == 1 && found[0].loses_facts && found[0].fix.starts_with(name), "{name}: {found:?}");
        }
    }

    #[test]
    fn a_setting_that_endangers_facts_is_a_warning() {
        for (name, value, replicas) in
            [("message.timestamp.type", "CreateTime", 3), ("min.insync.replicas", "1", 3), ("flush.messages", "2", 2)]
        {
            let found = judge(&settings(&[(name, value)]), replicas);
            assert!(found.len() == 1 && !found[0].loses_facts && found[0].fix.starts_with(name), "{name}: {found:?}");
        }
    }
}
