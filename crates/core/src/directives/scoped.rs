//! Settings that a server and a directory have in common, and the one rule by which they merge.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::buffering::RequestBuffering;
use crate::forwarded::ProxyHeader;

/// How a value of an outer scope (`base`) and of an inner one (`add`) become one.
pub(crate) trait Inherit {
    /// The merged value; `add` wins.
    fn inherit(base: &Self, add: &Self) -> Self;
}

impl<T: Clone> Inherit for Option<T> {
    fn inherit(base: &Self, add: &Self) -> Self {
        add.as_ref().or(base.as_ref()).cloned()
    }
}

/// A struct of settings with its merge: a field is spelled once, and cannot be forgotten.
macro_rules! settings {
    (
        $(#[$outer:meta])*
        pub struct $name:ident { $( $(#[$inner:meta])* $field:ident: $type:ty, )+ }
    ) => {
        $(#[$outer])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name { $( $(#[$inner])* pub $field: $type, )+ }

        impl $name {
            /// Merges two scopes: what `add` sets wins, what it leaves open comes from `base`.
            #[must_use]
            pub fn merge(base: &Self, add: &Self) -> Self {
                Self {
                    $( $field: $crate::directives::scoped::Inherit::inherit(
                        &base.$field, &add.$field), )+
                }
            }

            /// Every field by name with its value as text, for tests over all of them.
            #[cfg(test)]
            pub(crate) fn fields(&self) -> Vec<(&'static str, String)> {
                vec![ $( (stringify!($field), format!("{:?}", self.$field)), )+ ]
            }
        }
    };
}
pub(crate) use settings;

settings! {
    /// What may be set for a server and again, more specifically, for a directory.
    pub struct Scoped {
        /// WSGIRestrictProcess: process groups that may be used ("" is embedded).
        restrict_process: Option<Vec<String>>,
        /// WSGIProcessGroup, to be expanded per request.
        process_group: Option<String>,
        /// WSGIApplicationGroup, to be expanded per request.
        application_group: Option<String>,
        /// WSGICallableObject, to be expanded per request.
        callable_object: Option<String>,
        /// WSGIDispatchScript.
        dispatch_script: Option<DispatchScript>,
        /// WSGIPassApacheRequest.
        pass_apache_request: Option<bool>,
        /// WSGIPassAuthorization.
        pass_authorization: Option<bool>,
        /// WSGIScriptReloading.
        script_reloading: Option<bool>,
        /// WSGIErrorOverride.
        error_override: Option<bool>,
        /// WSGIChunkedRequest.
        chunked_request: Option<bool>,
        /// WSGIMapHEADToGET.
        map_head_to_get: Option<MapHead>,
        /// WSGIIgnoreActivity.
        ignore_activity: Option<bool>,
        /// WSGITrustedProxyHeaders, those that mean something.
        trusted_proxy_headers: Option<Vec<&'static ProxyHeader>>,
        /// WSGITrustedProxies.
        trusted_proxies: Option<Vec<TrustedNetwork>>,
        /// WSGIEnableSendfile.
        enable_sendfile: Option<bool>,
        /// WSGIRequestBuffering.
        request_buffering: Option<RequestBuffering>,
        /// WSGISendfileRoot.
        sendfile_roots: Option<Vec<String>>,
        /// WSGIHandlerScript, by handler name.
        handler_scripts: HandlerScripts,
    }
}

/// WSGIMapHEADToGET.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MapHead {
    /// Only when a filter of the response needs the body.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// WSGIDispatchScript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DispatchScript {
    /// The script.
    pub path: String,
    /// `application-group=`, to be expanded per request.
    pub application_group: Option<String>,
}

/// WSGIHandlerScript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandlerScript {
    /// The script.
    pub path: String,
    /// `process-group=`, to be expanded per request.
    pub process_group: Option<String>,
    /// `application-group=`, to be expanded per request.
    pub application_group: Option<String>,
    /// `pass-authorization=`.
    pub pass_authorization: Option<bool>,
}

/// Handler scripts by handler name; an inner scope adds to an outer one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HandlerScripts(pub BTreeMap<String, HandlerScript>);

impl Inherit for HandlerScripts {
    fn inherit(base: &Self, add: &Self) -> Self {
        let mut all = base.0.clone();
        all.extend(add.0.iter().map(|(name, script)| (name.clone(), script.clone())));
        Self(all)
    }
}

/// One address or network of WSGITrustedProxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrustedNetwork {
    /// First address.
    pub address: IpAddr,
    /// Number of leading bits that count.
    pub prefix: u8,
}
