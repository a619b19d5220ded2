//! The control protocol's types, as `org.cooper.Services.varlink` describes them.
