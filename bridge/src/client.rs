//! The cloud as seen from here: channel, token, retry, embedded start.
