//! The characters of clinics. They are assigned by number in turn, so that a handful of clinics shows some variety and
//! forty show all of it.

/// The special feature of a clinic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Character {
    /// Phones are read now and then.
    Usual,
    /// The clinic lets the agent watch readers only: taps, and never a result file.
    OnlyTaps,
    /// The face reader reads phones by itself (Canon): no general reader, no observations.
    PhoneNative,
    /// The same, but the desk attests the reads that it sees.
    PhoneNativeAttested,
    /// The reader's role is not set.
    RoleUnknown,
    /// One day the terminal is switched off permanently.
    GoesSilent,
    /// The reader's cable is loose.
    Flapping,
    /// The terminal's battery is empty: its clock starts an hour behind, until the network corrects it.
    ClockBehind,
    /// Everything is ready, and no phone has come.
    NoPhoneYet,
    /// No general reader has been bought.
    NoReader,
    /// Phones often fail, and the desk enters the cause.
    Failing,
    /// Patients lay their cards on the reader for phones.
    CardsOnPhoneReader,
    /// Registered, but no terminal was ever enrolled.
    NeverEnrolled,
    /// The reader has been unplugged.
    Unplugged,
}

const ROUND: [Character; 20] = [
    Character::Usual,
    Character::Usual,
    Character::OnlyTaps,
    Character::PhoneNative,
    Character::Usual,
    Character::RoleUnknown,
    Character::GoesSilent,
    Character::Flapping,
    Character::ClockBehind,
    Character::NoPhoneYet,
    Character::NoReader,
    Character::Usual,
    Character::Failing,
    Character::CardsOnPhoneReader,
    Character::NeverEnrolled,
    Character::Usual,
    Character::Unplugged,
    Character::Usual,
    Character::PhoneNativeAttested,
    Character::Usual,
];

/// The group's intent for a clinic, and the progress of the call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wish {
    /// No intent has been stated.
    Unsaid,
    Listed,
    NotListed {
        called: bool,
    },
}

/// The number of clinics with an intent: each is a statement that a person would have made.
const WISHES: usize = 40;

impl Character {
    /// The character of the clinic with this number.
    #[must_use]
    pub const fn of(index: usize) -> Self {
        ROUND[index % ROUND.len()]
    }

    /// Whether phones are read without a general reader.
    #[must_use]
    pub const fn phone_native(self) -> bool {
        matches!(self, Self::PhoneNative | Self::PhoneNativeAttested)
    }

    /// Whether the desk has a reader for phones.
    #[must_use]
    pub const fn has_phone_reader(self) -> bool {
        !self.phone_native() && !matches!(self, Self::NoReader | Self::NeverEnrolled)
    }
}

impl Wish {
    /// The wish for the clinic with this number.
    #[must_use]
    pub const fn of(index: usize) -> Self {
        if index >= WISHES {
            return Self::Unsaid;
        }
        match index % ROUND.len() {
            0 | 9 | 15 => Self::Listed,
            1 | 11 => Self::NotListed { called: true },
            3 | 17 => Self::NotListed { called: false },
            _ => Self::Unsaid,
        }
    }
}
