//! Registries: client, authentication, providers.
