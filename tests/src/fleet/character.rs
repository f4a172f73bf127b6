//! What kind of place a clinic is. They go round by number, so that a handful of clinics shows something of everything
//! and forty show all of it.

/// What makes a clinic worth looking at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Character {
    /// Phones are read now and then.
    Usual,
    /// The clinic lets the agent look at readers only: taps, and never a result file.
    OnlyTaps,
    /// The face reader reads phones by itself (Canon): no general reader, nothing to be seen.
    PhoneNative,
    /// The same, and the desk says so when it sees a phone being read.
    PhoneNativeAttested,
    /// Nobody has said what the reader is for.
    RoleUnknown,
    /// One day the terminal goes off and never comes back.
    GoesSilent,
    /// The reader's cable is loose.
    Flapping,
    /// The terminal's battery is empty: it starts an hour behind, until the network corrects it.
    ClockBehind,
    /// Everything is ready, and no phone has come.
    NoPhoneYet,
    /// No general reader has been bought.
    NoReader,
    /// Phones often fail, and the desk says why.
    Failing,
    /// Patients lay their cards on the reader for phones.
    CardsOnPhoneReader,
    /// Registered, but no terminal was ever enrolled.
    NeverEnrolled,
    /// Somebody unplugged the reader.
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

/// What the group wants for a clinic, and how far the call has got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wish {
    /// Nobody has said anything.
    Unsaid,
    Listed,
    NotListed {
        called: bool,
    },
}

/// Only so many clinics have a wish: each is a statement that a person would have made.
const WISHES: usize = 40;

impl Character {
    /// Of the clinic with this number.
    #[must_use]
    pub const fn of(index: usize) -> Self {
        ROUND[index % ROUND.len()]
    }

    /// Whether phones are read without a general reader.
    #[must_use]
    pub const fn phone_native(self) -> bool {
        matches!(self, Self::PhoneNative | Self::PhoneNativeAttested)
    }

    /// Whether a reader for phones stands at the desk.
    #[must_use]
    pub const fn has_phone_reader(self) -> bool {
        !self.phone_native() && !matches!(self, Self::NoReader | Self::NeverEnrolled)
    }
}

impl Wish {
    /// For the clinic with this number.
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
