//! Intents on disk before anything is touched.
