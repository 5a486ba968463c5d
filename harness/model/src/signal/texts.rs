//! Which parts of a signal may quote what somebody wrote: a credential may stand in those, and nowhere else.

use super::{CloudIdentity, Condition, Container, ContainerState, GivenUp, ProbeResult, Unscheduled};

/// What is done to a text before it leaves.
pub type Clean<'a> = dyn FnMut(&mut String) + 'a;

/// What has texts that somebody else worded: messages, addresses, names of images.
pub trait Texts {
    /// Does it to each of them.
    fn clean(&mut self, clean: &mut Clean<'_>);
}

impl Texts for String {
    fn clean(&mut self, clean: &mut Clean<'_>) {
        clean(self);
    }
}

impl<T: Texts> Texts for Option<T> {
    fn clean(&mut self, clean: &mut Clean<'_>) {
        self.iter_mut().for_each(|part| part.clean(clean));
    }
}

impl<T: Texts> Texts for Vec<T> {
    fn clean(&mut self, clean: &mut Clean<'_>) {
        self.iter_mut().for_each(|part| part.clean(clean));
    }
}

/// A condition of a controller: type, reason, message.
impl Texts for (String, String, String) {
    fn clean(&mut self, clean: &mut Clean<'_>) {
        clean(&mut self.2);
    }
}

/// Lines `type: fields`.
macro_rules! texts {
    ($($part:ident: $($field:ident),+;)+) => {
        $(impl Texts for $part {
            fn clean(&mut self, clean: &mut Clean<'_>) {
                $(self.$field.clean(clean);)+
            }
        })+
    };
}

texts! {
    CloudIdentity: endpoint;
    Condition: message;
    Container: image, state;
    GivenUp: message;
    Unscheduled: message;
}

impl Texts for ContainerState {
    fn clean(&mut self, clean: &mut Clean<'_>) {
        if let Self::Waiting { message, .. } = self {
            clean(message);
        }
    }
}

impl Texts for ProbeResult {
    fn clean(&mut self, clean: &mut Clean<'_>) {
        if let Self::Refused(why) = self {
            clean(why);
        }
    }
}
