//! Random bytes and changed messages at every method, with and without a certificate: hundreds of streams from one
//! seed.

use anyhow::{Context, Result, ensure};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use prost::Message as _;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rcgen::{CertificateParams, KeyPair};
use yomitori_proto::encode;
use yomitori_proto::event::{LogBody, Speaker};
use yomitori_proto::wire::{self, up};
use yomitori_tests::hostile::chance::{chance, mutated, noise, print_line};
use yomitori_tests::hostile::credential::Signer;
use yomitori_tests::hostile::siege::{Intruder, Siege, VICTIM, batch};
use yomitori_tests::hostile::stranger::{CARRY, ENROL, Line, RENEW, framed, framed_as};

use crate::status::{INTERNAL, INVALID_ARGUMENT, OK, OUT_OF_RANGE, PERMISSION_DENIED, UNAUTHENTICATED, UNIMPLEMENTED};

/// Streams per method, with and without a certificate.
const STREAMS: usize = 150;

/// Valid messages of a client to a method, before they are changed.
struct Valid<'a> {
    it: &'a Intruder,
    token: String,
    csr_der: Vec<u8>,
    runner: TestRunner,
}

impl Valid<'_> {
    fn messages(&mut self, method: &str, chance: &mut StdRng) -> Result<Vec<Vec<u8>>> {
        let token = self.token.clone();
        Ok(match method {
            ENROL => vec![wire::EnrolRequest { token, csr_der: self.csr_der.clone() }.encode_to_vec()],
            RENEW => vec![wire::RenewRequest { csr_der: self.csr_der.clone() }.encode_to_vec()],
            _ => {
                let mut said = vec![up::Message::Hello(self.it.hello())];
                let mut after = 0;
                for _ in 0..chance.random_range(0..4) {
                    let observation =
                        yomitori_arbitrary::observation().new_tree(&mut self.runner).map_err(anyhow::Error::msg)?;
                    let event = encode::event(&observation.current().event);
                    let last = after + chance.random_range(1..5);
                    said.push(up::Message::Batch(batch(after, after + 1..=last, &event)));
                    after = last;
                }
                said.push(up::Message::KeepAlive(wire::KeepAlive { last_kept: after, sent_at_us: 1 }));
                said.into_iter().map(|message| wire::Up { message: Some(message) }.encode_to_vec()).collect()
            }
        })
    }

    /// Bytes for one stream: all noise, or mostly valid.
    fn saying(&mut self, method: &str, chance: &mut StdRng) -> Result<Vec<u8>> {
        let mut messages = self.messages(method, chance)?;
        let one = chance.random_range(0..messages.len());
        Ok(match chance.random_range(0..8) {
            0 => noise(chance, 4_000),
            1 => framed(&noise(chance, 4_000)),
            // A message that is shorter or longer than its frame states.
            2 => framed_as(chance.random(), &messages[one]),
            // The wrong order.
            3 => {
                messages.rotate_left(one);
                messages.iter().flat_map(|message| framed(message)).collect()
            }
            // Changes in the frames too.
            4 => mutated(&messages.iter().flat_map(|message| framed(message)).collect::<Vec<_>>(), chance),
            5 => messages.choose(chance).map(|message| framed(&mutated(message, chance))).unwrap_or_default(),
            _ => {
                messages[one] = mutated(&messages[one], chance);
                messages.iter().flat_map(|message| framed(message)).collect()
            }
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_at_every_method_is_refused_and_nothing_of_it_is_kept() -> Result<()> {
    let mut chance = chance("noise")?;
    let mut siege = Siege::begin("hostile-noise").await?;
    let it = Intruder::enter(&siege, VICTIM).await?;
    let authority = Signer::of(&siege.world)?.certificate;
    let key = KeyPair::generate()?;
    let mut valid = Valid {
        it: &it,
        token: siege.server.token(VICTIM).await?,
        csr_der: CertificateParams::default().serialize_request(&key)?.der().to_vec(),
        runner: crate::runner(&mut chance),
    };
    let mut answers = std::collections::BTreeMap::new();
    for round in 0..STREAMS {
        for method in [CARRY, ENROL, RENEW] {
            for credential in [Some(&it.credential), None] {
                let line = Line::open(&siege.server.uplink, &authority, credential).await?;
                let saying = valid.saying(method, &mut chance)?;
                let length = saying.len();
                let answer = line.ask(method, saying).await.with_context(|| format!("{method}, round {round}"))?;
                let status = answer.status.with_context(|| format!("{method}, round {round}: {answer:?}"))?;
                let expected: &[i32] = match (method, credential) {
                    (CARRY, None) => &[UNAUTHENTICATED],
                    (CARRY, Some(_)) => &[OK, INVALID_ARGUMENT, PERMISSION_DENIED],
                    // The library answers a malformed message before our code sees it.
                    _ => &[OK, INVALID_ARGUMENT, UNAUTHENTICATED, OUT_OF_RANGE, INTERNAL, UNIMPLEMENTED],
                };
                ensure!(expected.contains(&status), "{method}, round {round}, {length} bytes: {answer:?}");
                ensure!(
                    (method, credential.is_none(), status) != (RENEW, true, OK),
                    "renewed without a terminal: {answer:?}"
                );
                *answers.entry((method, credential.is_some(), status)).or_insert(0) += 1;
            }
        }
        if round % 64 == 0 {
            siege.server.process()?.alive()?;
        }
    }
    print_line(&format!("{} streams were answered: {answers:#?}", STREAMS * 6));
    siege.holds().await?;

    // Every record that was kept is one that this terminal may send about itself.
    for record in siege.log().await? {
        let LogBody::Terminal { terminal, observations, .. } = &record.body else { continue };
        if *terminal != it.peer.terminal {
            continue;
        }
        ensure!(record.facility == it.peer.facility, "{record:?}");
        let fit = |speaker| matches!(speaker, Speaker::Terminal | Speaker::Anyone);
        ensure!(observations.iter().all(|observation| fit(observation.event.speaker())), "{record:?}");
    }
    ensure!(siege.parked().await? == 0, "something of it could not be folded");
    Ok(())
}
