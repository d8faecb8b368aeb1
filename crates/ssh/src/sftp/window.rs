//! How many requests are in flight.

/// Bounds of what is in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Window {
    /// Bytes that one request reads or writes, at most. Default 32 KiB, which all servers take
    /// and which measured best; what the server says that it can take bounds it further.
    pub chunk: usize,
    /// Requests in flight, at most. Default 1024.
    pub requests: usize,
    /// Bytes in flight, at most. Default 8 MiB.
    pub bytes: usize,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            chunk: 32 * 1024,
            requests: 1024,
            bytes: 8 * 1024 * 1024,
        }
    }
}

/// With so many requests a transfer begins.
const FIRST: usize = 8;

/// A window that opens as answers come: by one request for each answer that was waited for, so
/// that it doubles with each round trip until the way there is full.
#[derive(Debug)]
pub(super) struct Flight {
    /// Bytes in a request.
    pub(super) chunk: usize,
    open: usize,
    most: usize,
    in_flight: usize,
}

impl Flight {
    /// A window within the bounds; `longest` is what the server takes at once, 0: unknown.
    pub(super) fn new(bounds: &Window, longest: u64) -> Self {
        let longest = usize::try_from(longest).unwrap_or(usize::MAX);
        let chunk = match longest {
            0 => bounds.chunk,
            longest => bounds.chunk.min(longest),
        };
        // A reply has to fit into a packet.
        let chunk = chunk.clamp(1, super::wire::MAX_PACKET - 1024);
        let most = (bounds.bytes / chunk).clamp(1, bounds.requests.max(1));
        Self {
            chunk,
            open: FIRST.min(most),
            most,
            in_flight: 0,
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.in_flight < self.open
    }

    pub(super) fn sent(&mut self) {
        self.in_flight += 1;
    }

    pub(super) fn answered(&mut self) {
        if self.in_flight >= self.open && self.open < self.most {
            self.open += 1;
        }
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_with_each_round_trip_up_to_its_bound() {
        let mut flight = Flight::new(&Window::default(), 0);
        let mut sizes = Vec::new();
        for _ in 0..8 {
            while flight.has_room() {
                flight.sent();
            }
            sizes.push(flight.in_flight());
            // The answers come one by one, and each lets the next request go.
            for _ in 0..flight.in_flight() {
                flight.answered();
                while flight.has_room() {
                    flight.sent();
                }
            }
        }
        assert_eq!(sizes, [8, 16, 32, 64, 128, 256, 256, 256]);
    }

    #[test]
    fn the_server_bounds_a_request() {
        let flight = |longest| Flight::new(&Window::default(), longest).chunk;
        assert_eq!(flight(0), 32 * 1024);
        assert_eq!(flight(1000), 1000);
        assert_eq!(flight(u64::MAX), 32 * 1024);
    }
}
