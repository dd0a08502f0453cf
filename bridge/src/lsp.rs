//! The JSON-RPC front for editors.
