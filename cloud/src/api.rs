//! The gRPC services that bridges call; the only place that makes a status.
