//! Where a grant stands among others. It must not say what comes of it.

/// How many grants stand before one in its list. Of grants that do equally well,
/// the first is told.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Place(usize);

impl Place {
    /// Each item of a list with its place.
    pub(crate) fn each<T>(list: &[T]) -> impl Iterator<Item = (Self, &T)> {
        let places = (0..).map(Self);
        places.zip(list)
    }

    /// What stands there in a list.
    pub(crate) fn of<T>(self, list: &[T]) -> Option<&T> {
        list.get(self.0)
    }
}

/// The one of two that stands first, if there is any.
pub(crate) fn first(one: Option<Place>, other: Option<Place>) -> Option<Place> {
    one.into_iter().chain(other).min()
}
