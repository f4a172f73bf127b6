//! Tokens and certificate requests that an attacker found, guessed, changed or kept.

use anyhow::{Context, Result, ensure};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, PublicKeyData as _, SanType};
use tokio::task::JoinSet;
use yomitori_proto::id::FacilityId;
use yomitori_proto::wire;
use yomitori_tests::hostile::credential::Signer;
use yomitori_tests::hostile::siege::{Siege, VICTIM};
use yomitori_tests::hostile::stranger::{Answer, ENROL, Line, said};

use crate::status::{INVALID_ARGUMENT, OK, UNAUTHENTICATED};

fn request(key: &KeyPair) -> Result<Vec<u8>> {
    Ok(CertificateParams::default().serialize_request(key)?.der().to_vec())
}

async fn enrol(line: &Line, token: &str, csr_der: &[u8]) -> Result<Answer> {
    let request = wire::EnrolRequest { token: token.to_owned(), csr_der: csr_der.to_vec() };
    line.ask(ENROL, said(&[request])).await
}

fn identity(answer: &Answer) -> Result<wire::Identity> {
    ensure!(answer.status == Some(OK), "{answer:?}");
    answer.messages()?.pop().context("an identity")
}

async fn enrolled(siege: &Siege) -> Result<usize> {
    let log = siege.log().await?;
    Ok(log.iter().filter(|record| format!("{:?}", record.body).contains("TerminalEnrolled")).count())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_lets_one_key_in_once() -> Result<()> {
    let mut siege = Siege::begin("hostile-tokens").await?;
    let authority = Signer::of(&siege.world)?.certificate;
    let line = Line::open(&siege.server.uplink, &authority, None).await?;
    let before = enrolled(&siege).await?;
    let (key, other) = (KeyPair::generate()?, KeyPair::generate()?);

    let token = siege.server.token(VICTIM).await?;
    for garbage in
        ["", "ytm1", "ytm1..", "ytm1.aaaaaaaaaaaaaaaaaaaaaaaaaa.00", "' OR 1=1 --", "\0", &"ytm1.x".repeat(999)]
    {
        let answer = enrol(&line, garbage, &request(&key)?).await?;
        ensure!(answer.status == Some(UNAUTHENTICATED) && answer.body.is_empty(), "{garbage:?}: {answer:?}");
    }
    // An invalid request leaves the token unused.
    let mut broken = request(&key)?;
    *broken.last_mut().context("a byte")? ^= 1;
    for csr_der in [&broken, &vec![], &vec![0x30; 500], &request(&other)?.split_at(100).0.to_vec()] {
        let answer = enrol(&line, &token, csr_der).await?;
        ensure!(answer.status == Some(INVALID_ARGUMENT), "{answer:?}");
    }
    ensure!(enrolled(&siege).await? == before, "something was enrolled");

    let first = identity(&enrol(&line, &token, &request(&key)?).await?)?;
    ensure!(first.facility == FacilityId::of_code(VICTIM).to_bytes());
    let answer = enrol(&line, &token, &request(&other)?).await?;
    ensure!(answer.status == Some(UNAUTHENTICATED), "another key: {answer:?}");
    let again = identity(&enrol(&line, &token, &request(&key)?).await?)?;
    ensure!(
        again.terminal == first.terminal && again.facility == first.facility,
        "the same key became another terminal"
    );

    let expired = siege.server.token(VICTIM).await?;
    siege
        .store
        .execute(
            "UPDATE registry.enrolment_token SET expires_at = now() - interval '1 second' WHERE used_at IS NULL",
            &[],
        )
        .await?;
    let answer = enrol(&line, &expired, &request(&key)?).await?;
    ensure!(answer.status == Some(UNAUTHENTICATED), "expired: {answer:?}");
    // Who has the whole token learns what became of it; a guess, and a part of one, learn that there is none.
    let guess = enrol(&line, "ytm1.aaaaaaaaaaaaaaaaaaaaaaaaaa.00", &request(&key)?).await?;
    let half: String = expired.chars().take(20).collect();
    let half = enrol(&line, &half, &request(&key)?).await?;
    ensure!(answer.message != guess.message && half.message == guess.message, "{answer:?} {guess:?} {half:?}");
    siege.holds().await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_keys_with_one_token_at_once_one_gets_in() -> Result<()> {
    let mut siege = Siege::begin("hostile-token-race").await?;
    let authority = Signer::of(&siege.world)?.certificate;
    let (token, before) = (siege.server.token(VICTIM).await?, enrolled(&siege).await?);
    let mut all = JoinSet::new();
    for _ in 0..20 {
        let line = Line::open(&siege.server.uplink, &authority, None).await?;
        let (token, key) = (token.clone(), KeyPair::generate()?);
        all.spawn(async move { enrol(&line, &token, &request(&key)?).await });
    }
    let answers: Vec<Answer> = all.join_all().await.into_iter().collect::<Result<_>>()?;
    let let_in = answers.iter().filter(|answer| answer.status == Some(OK)).count();
    let sent_away = answers.iter().filter(|answer| answer.status == Some(UNAUTHENTICATED)).count();
    ensure!((let_in, sent_away) == (1, 19), "{answers:#?}");
    siege.holds().await?;
    ensure!(enrolled(&siege).await? == before + 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_has_the_servers_contents_and_not_the_requested_ones() -> Result<()> {
    let mut siege = Siege::begin("hostile-requests").await?;
    let signer = Signer::of(&siege.world)?;
    let line = Line::open(&siege.server.uplink, &signer.certificate, None).await?;
    let key = KeyPair::generate()?;
    let mut greedy = CertificateParams::new(vec!["evil.example".to_owned(), "localhost".to_owned()])?;
    greedy.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    greedy.subject_alt_names.push(SanType::URI(format!("urn:yomitori:terminal:{}", uuid::Uuid::nil()).try_into()?));
    greedy.subject_alt_names.push(SanType::URI(format!("urn:yomitori:facility:{}", uuid::Uuid::nil()).try_into()?));
    let asked = greedy.serialize_request(&key)?.der().to_vec();
    let given = identity(&enrol(&line, &siege.server.token(VICTIM).await?, &asked).await?)?;

    let der = &given.certificate_der;
    let text = String::from_utf8_lossy(der);
    ensure!(!text.contains("evil") && !text.contains("localhost") && !text.contains(&uuid::Uuid::nil().to_string()));
    let names = yomitori_server::identity::terminal_certificate(der).context("its names")?.peer;
    ensure!((names.terminal.to_bytes(), names.facility.to_bytes()) == (given.terminal, given.facility));
    ensure!(der.windows(key.der_bytes().len()).any(|window| window == key.der_bytes()), "it is for another key");
    // The encoding of the extension "basic constraints" with "it is an authority".
    let authority = [0x55, 0x1D, 0x13, 0x01, 0x01, 0xFF];
    ensure!(!der.windows(authority.len()).any(|window| window == authority), "it is an authority's");
    siege.holds().await
}
