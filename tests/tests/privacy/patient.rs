//! A fictional patient, and the files that a clinic's software would create for them, including malformed ones.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;

use anyhow::{Context, Result};
use chrono::TimeDelta;
use encoding_rs::SHIFT_JIS;
use rand::Rng;
use rand::rngs::StdRng;
use yomitori_simulation::clock;

use crate::secret::Secret;

/// See the head of this file.
#[derive(Clone, Debug)]
pub(crate) struct Patient {
    /// 患者番号, 10 to 12 digits.
    pub(crate) number: String,
    /// The institution code in the names, which differs from this facility's.
    code: String,
    name: String,
    kana: String,
    latin: String,
    my_number: String,
    insured: String,
    phone: String,
    address: String,
}

fn digits(chance: &mut StdRng, first: &str, length: usize) -> String {
    let rest = (first.len()..length).map(|_| char::from(b'0' + chance.random_range(0..10)));
    first.chars().chain(rest).collect()
}

impl Patient {
    pub(crate) fn new(chance: &mut StdRng) -> Self {
        let latin: String = (0..9).map(|_| char::from(b'A' + chance.random_range(0..26))).collect();
        Self {
            number: digits(chance, "7", 12),
            code: digits(chance, "27", 10),
            name: format!("薬師寺{}乃", ["千代", "八重", "久米"][chance.random_range(0..3)]),
            kana: "ヤクシジ　チヨノ".to_owned(),
            latin: format!("{latin}_CHIYONO"),
            my_number: digits(chance, "4", 12),
            insured: digits(chance, "3", 11),
            phone: digits(chance, "09", 11),
            address: format!("北海道稚内市宝来{}丁目", digits(chance, "", 3)),
        }
    }

    pub(crate) fn secrets(&self) -> Vec<Secret> {
        [
            ("the patient's number", &self.number),
            ("the institution code in a file's name", &self.code),
            ("the patient's name", &self.name),
            ("the patient's kana", &self.kana),
            ("the patient's name in latin letters", &self.latin),
            ("the individual number", &self.my_number),
            ("the insured person's number", &self.insured),
            ("the patient's telephone", &self.phone),
            ("the patient's address", &self.address),
        ]
        .map(|(what, text)| Secret::text(what, text))
        .into()
    }

    /// The contents of the files.
    fn bodies(&self) -> [Vec<u8>; 5] {
        let Self { number, code, name, kana, my_number, insured, phone, address, latin } = self;
        let body = format!(
            "<?xml version=\"1.0\"?><XmlMsg><MessageHeader><MedicalInstitutionCode>{code}</MedicalInstitutionCode>\
             <ArbitraryFileIdentifier>{number}</ArbitraryFileIdentifier><SegmentOfResult>1</SegmentOfResult>\
             </MessageHeader><MessageBody><ProcessingResultStatus>1</ProcessingResultStatus><ResultList>\
             <Name>{name}</Name><NameKana>{kana}</NameKana><NameLatin>{latin}</NameLatin><Address>{address}</Address>\
             <InsuredIdentificationNumber>{insured}</InsuredIdentificationNumber><MyNumber>{my_number}</MyNumber>\
             <Phone>{phone}</Phone></ResultList></MessageBody></XmlMsg>"
        );
        let utf_16 = body.encode_utf16().flat_map(u16::to_le_bytes).collect();
        // Patient data in place of codes, and in unused places.
        let code = format!(
            "<XmlMsg id=\"{number}\"><MessageHeader><ErrorMessage>{name}</ErrorMessage><SegmentOfResult>9</SegmentOfResult>\
             <ErrorCode>{number}</ErrorCode></MessageHeader></XmlMsg>"
        );
        let astray = format!(
            "{phone}<XmlMsg><MessageHeader><SegmentOfResult>{insured}</SegmentOfResult><{latin}>{kana}</{latin}>\
             <ErrorCode>E1<!-- {address} --></ErrorCode></MessageHeader></XmlMsg>"
        );
        [body.clone().into_bytes(), SHIFT_JIS.encode(&body).0.to_vec(), utf_16, code.into_bytes(), astray.into_bytes()]
    }

    /// Names of files, each of which a clinic could have.
    pub(crate) fn file_names(&self) -> Vec<OsString> {
        let Self { number, code, name, kana, my_number, insured, phone, address, latin } = self;
        let now = (clock::now() + TimeDelta::hours(9)).format("%Y%m%d%H%M%S");
        let mut names: Vec<OsString> = [
            format!("OQSsiquc01res_face_{code}000001_{now}.xml"),
            format!("oqssiquc01res_FACE_{code}000002_{now}.XML"),
            format!("OQSsiquc01res_face_{number}_{now}.xml"),
            format!("OQSsiquc01res_face_{name}_{now}.xml"),
            format!("OQSsiquc01res_face_{insured}_19530401093005.xml"),
            format!("OQSsiquc01res_face_{my_number}_2026040193005.xml"),
            format!("OQSsiquc01res_{number}.xml"),
            format!("OQSmuquc02res_{number}_{kana}.xml"),
            format!("TKKsiquc01req_01202604010930{number}.xml"),
            format!("YZKsiquc01req_02202604010931{number}.xml"),
            format!("CIPsiquc01res_{latin}_{number}.xml"),
            format!("{name} 様 {phone}.pdf"),
            format!("{address}.txt"),
            format!("del{number}.txt"),
            format!(".{my_number}.tmp"),
            format!("..%2F..%2F{number}"),
            format!("..\\..\\{number}.xml"),
            format!("-rf {number}"),
            format!("{number}\n{name}.xml"),
            format!("\u{1b}[31m{number}\u{7}.xml"),
            format!("$(echo {number}) `{latin}`"),
            format!("{number}'; DROP TABLE projection.fact; --"),
            format!("%s%n%x{number}{{}}"),
            format!("<script>{number}</script>.xml").replace('/', "∕"),
        ]
        .map(OsString::from)
        .into();
        // The maximal length of a name.
        let mut longest = format!("OQSsiquc01res_face_{}", number.repeat(20));
        longest.truncate(251);
        names.push(format!("{longest}.xml").into());
        // Not UTF-8.
        names.push(OsString::from_vec([&SHIFT_JIS.encode(name).0, number.as_bytes(), b".xml"].concat()));
        names
    }

    /// Creates such files in `folder`, among others, and returns their number.
    pub(crate) fn leave(&self, folder: &Path) -> Result<usize> {
        let names = self.file_names();
        for (name, body) in names.iter().zip(self.bodies().iter().cycle()) {
            std::fs::write(folder.join(name), body).with_context(|| format!("write {name:?}"))?;
        }
        // A folder with contents; a dangling link.
        let ward = folder.join(format!("{}{}", self.name, self.phone));
        std::fs::create_dir(&ward).context("make a folder")?;
        std::fs::write(ward.join(format!("{}.xml", self.number)), &self.bodies()[0]).context("write into a folder")?;
        std::os::unix::fs::symlink(
            format!("/{}/{}", self.name, self.number),
            folder.join(format!("{}.lnk", self.insured)),
        )
        .context("make a link")?;
        Ok(names.len())
    }

    /// Removes all of them, some of them after renaming.
    pub(crate) fn tidy(&self, folder: &Path) -> Result<()> {
        for (number, name) in self.file_names().iter().enumerate() {
            let from = folder.join(name);
            // The software does both.
            if number % 2 == 0 && from.exists() {
                let to = folder.join(format!("del{}{number}.txt", self.my_number));
                std::fs::rename(&from, &to).context("rename")?;
                std::fs::remove_file(&to).context("remove")?;
            }
        }
        Ok(())
    }

    /// The whole input, as one haystack.
    pub(crate) fn all(&self) -> Vec<u8> {
        let names = self.file_names().into_iter().flat_map(OsString::into_vec);
        names.chain(self.bodies().concat()).collect()
    }
}
