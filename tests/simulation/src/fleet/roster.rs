//! The members of the fleet: each clinic's facility, and its terminal's identity on disk, so that it enrols once.
//!
//! `STATE/CODE/identity.pem` is the agent's own file; `STATE/CODE/stated` exists once the statements about the clinic
//! have been made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use yomitori_agent::address::ServerAddress;
use yomitori_agent::identity::{Identity, enrol};
use yomitori_proto::code::InstitutionCode;

use super::character::Character;
use super::facility::Facility;
use super::operator::Operator;

/// One clinic with a terminal.
#[derive(Clone, Debug)]
pub struct Member {
    pub index: usize,
    pub code: InstitutionCode,
    pub state_dir: PathBuf,
    pub identity: Identity,
}

/// The source of tokens.
#[derive(Clone, Debug)]
pub enum Tokens {
    /// The server's command line creates them.
    Operator(Operator),
    /// Existing tokens, by institution code.
    Given(BTreeMap<String, String>),
}

/// Number of concurrent enrolments; each needs a process of the server's command line.
const AT_ONCE: usize = 3;

impl Tokens {
    /// Parses lines of `code,token`.
    ///
    /// # Errors
    /// If a line has another form.
    pub fn parse(text: &str) -> Result<Self> {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let pairs = lines.map(|(number, line)| {
            let (code, token) =
                line.split_once(',').with_context(|| format!("line {}: write `code,token`", number + 1))?;
            Ok((code.trim().to_owned(), token.trim().to_owned()))
        });
        pairs.collect::<Result<_>>().map(Self::Given)
    }

    async fn of(&self, code: &str) -> Result<String> {
        match self {
            Self::Operator(operator) => operator.token(code).await,
            Self::Given(tokens) => tokens.get(code).cloned().with_context(|| format!("no token for {code}")),
        }
    }
}

/// Loads or creates the identities of all clinics with a terminal. `enrolled` receives the number done and the total.
///
/// # Errors
/// If a terminal can't be enrolled.
pub async fn assemble(
    facilities: &[Facility],
    server: &ServerAddress,
    state: &Path,
    tokens: &Tokens,
    mut enrolled: impl FnMut(usize, usize),
) -> Result<Vec<Member>> {
    let with_terminal: Vec<(usize, InstitutionCode)> = facilities
        .iter()
        .enumerate()
        .filter(|(index, _)| Character::of(*index) != Character::NeverEnrolled)
        .map(|(index, facility)| (index, facility.code()))
        .collect();
    let total = with_terminal.len();
    let mut members = Vec::with_capacity(total);
    let mut joining = stream::iter(with_terminal)
        .map(|(index, code)| join(index, code, server, state, tokens))
        .buffer_unordered(AT_ONCE);
    while let Some(member) = joining.try_next().await? {
        members.push(member);
        enrolled(members.len(), total);
    }
    members.sort_by_key(|member| member.index);
    Ok(members)
}

async fn join(
    index: usize,
    code: InstitutionCode,
    server: &ServerAddress,
    state: &Path,
    tokens: &Tokens,
) -> Result<Member> {
    let state_dir = state.join(code.as_str());
    std::fs::create_dir_all(&state_dir).with_context(|| format!("make `{}`", state_dir.display()))?;
    if let Some(identity) = Identity::load(&state_dir)? {
        return Ok(Member { index, code, state_dir, identity });
    }
    let token = tokens.of(code.as_str()).await.with_context(|| {
        format!("get a token for {code} (register the clinics first: `yomitori-fleet facilities` makes the table)")
    })?;
    let token = token.parse().map_err(|error| anyhow!("the token for {code}: {error}"))?;
    let route = Arc::new(server.clone().into());
    let identity = enrol::enrol(&route, &token, &state_dir).await;
    let (identity, _) = identity.with_context(|| format!("enrol the terminal of {code}"))?;
    Ok(Member { index, code, state_dir, identity })
}

/// Makes the missing statements about the clinics, as given by `statements` for each.
///
/// # Errors
/// If the server refuses a statement.
pub async fn state_all(
    facilities: &[Facility],
    state: &Path,
    operator: &Operator,
    statements: impl Fn(usize, &Facility) -> Vec<Vec<String>>,
) -> Result<()> {
    let about = facilities.iter().enumerate();
    let about: Vec<_> = about.map(|(index, facility)| (facility.code(), statements(index, facility))).collect();
    stream::iter(about)
        .map(|(code, statements)| state_of(code, statements, state, operator))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

async fn state_of(
    code: InstitutionCode,
    statements: Vec<Vec<String>>,
    state: &Path,
    operator: &Operator,
) -> Result<()> {
    let folder = state.join(code.as_str());
    let done = folder.join("stated");
    if statements.is_empty() || done.exists() {
        return Ok(());
    }
    for statement in &statements {
        operator.run(statement).await?;
    }
    std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(&done, ""))
        .with_context(|| format!("write `{}`", done.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_tokens_is_read_line_by_line() {
        let Ok(Tokens::Given(tokens)) = Tokens::parse("1319999015, ytm1.a\n\n1319999023,ytm1.b\n") else { panic!() };
        assert_eq!(tokens["1319999015"], "ytm1.a");
        assert_eq!(tokens.len(), 2);
        assert!(format!("{:#}", Tokens::parse("x\n").unwrap_err()).contains("line 1"));
    }
}
