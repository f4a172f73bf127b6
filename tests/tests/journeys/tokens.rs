//! One-time tokens: who issued which, what each enrolled, and that one that is revoked enrols nothing.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use uuid::Uuid;
use yomitori_agent::identity::Identity;
use yomitori_tests::world::World;
use yomitori_tests::world::agent::{Agent, Plan as AgentPlan};
use yomitori_tests::world::server::{Plan, Server};

const CODE: &str = "1319999015";

async fn issue(server: &Server) -> Result<String> {
    let words = ["token", "issue", "--facility", CODE, "--by", "鈴木", "--why", "受付の端末"];
    Ok(server.run(&words).await?.trim().to_owned())
}

async fn listed(server: &Server, all: bool) -> Result<Vec<Value>> {
    let words = ["token", "list", "--facility", CODE, "--format", "json", "--all"];
    let words = if all { &words[..] } else { &words[..words.len() - 1] };
    Ok(serde_json::from_str(&server.run(words).await?)?)
}

/// What `token revoke` prints, and whether it succeeded.
async fn revoke(server: &Server, token: &str) -> Result<(bool, String)> {
    let output = server.try_run(&["token", "revoke", "--token", token, "--by", "佐藤", "--why", "誤送信"]).await?;
    let printed = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8_lossy(&printed).into_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_listed_with_who_issued_it_and_enrols_nothing_once_revoked() -> Result<()> {
    let world = World::new("tokens").await?;
    let server = Server::start(&world, Plan::default()).await?;
    server.import(&format!("code,name,prefecture\n{CODE},ひとこと医院,東京都\n")).await?;
    world.has_facilities(1).await?;

    let token = issue(&server).await?;
    let usable = listed(&server, false).await?;
    ensure!(usable.len() == 1, "{usable:?}");
    let one = &usable[0];
    ensure!(one["state"] == "usable" && one["issued_by"] == "鈴木" && one["name"] == "ひとこと医院", "{one}");
    let table = server.run(&["token", "list"]).await?;
    ensure!(table.contains("usable") && table.contains("ひとこと医院") && !table.contains(&token), "{table}");

    // The terminal says for which facility it was enrolled.
    let agent = Agent::prepare(&world, &server.uplink, AgentPlan::default())?;
    let enrolled = agent.try_run(&["enrol", "--token", &token]).await?;
    let said = String::from_utf8_lossy(&enrolled.stdout).into_owned();
    ensure!(enrolled.status.success() && said.contains("ひとこと医院（1319999015）"), "{said}");
    let checked = agent.try_run(&["check"]).await?;
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    ensure!(said.contains("ひとこと医院（1319999015）"), "{said}");

    let terminal = Identity::load(&agent.state)?.context("it is enrolled")?.terminal().to_string();
    ensure!(listed(&server, false).await?.is_empty(), "a used token is listed as usable");
    let all = listed(&server, true).await?;
    ensure!(all[0]["state"] == "used" && all[0]["terminal"] == *terminal, "{all:?}");
    let registry: Value = serde_json::from_str(&server.run(&["terminal", "list", "--format", "json"]).await?)?;
    ensure!(registry[0]["changed_by"] == "鈴木", "{registry}");
    let name = |token: &Value| token["token"].as_str().map(str::to_owned).context("a name");
    let (succeeded, said) = revoke(&server, &name(&all[0])?).await?;
    ensure!(!succeeded && said.contains(&format!("terminal revoke --facility {CODE} --terminal {terminal}")), "{said}");

    let astray = issue(&server).await?;
    let astray_name = name(&listed(&server, false).await?[0])?;
    let (succeeded, said) = revoke(&server, &astray_name).await?;
    ensure!(succeeded && said.contains("ひとこと医院"), "{said}");
    let other = Agent::prepare(&world, &server.uplink, AgentPlan::default())?;
    // The technician learns what is wrong with each.
    let (kind, rest) = token.split_once('.').context("a token")?;
    let other_letter = if rest.starts_with('a') { 'b' } else { 'a' };
    let mistyped: String = format!("{kind}.").chars().chain([other_letter]).chain(rest.chars().skip(1)).collect();
    let refusals =
        [(&astray, "was revoked"), (&token, "has enrolled a terminal already"), (&mistyped, "no such token")];
    for (token, sentence) in refusals {
        let refused = other.try_run(&["enrol", "--token", token]).await?;
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        ensure!(!refused.status.success() && said.contains(sentence) && !said.contains(token.as_str()), "{said}");
    }
    let (succeeded, said) = revoke(&server, &astray_name).await?;
    ensure!(!succeeded && said.contains("revoked already"), "{said}");
    // The token itself in place of its name is not printed.
    let (succeeded, said) = revoke(&server, &astray).await?;
    ensure!(!succeeded && said.contains("not the token itself") && !said.contains(&astray), "{said}");
    let (succeeded, said) = revoke(&server, &Uuid::nil().to_string()).await?;
    ensure!(!succeeded && said.contains("no such token"), "{said}");
    let all = listed(&server, true).await?;
    ensure!(all[0]["state"] == "revoked" && all[0]["revoked_by"] == "佐藤", "{all:?}");
    Ok(())
}
