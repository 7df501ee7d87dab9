//! eutectic
