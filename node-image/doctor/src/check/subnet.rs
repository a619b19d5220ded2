//! Networks of either version of IP.

use std::{fmt, net::IpAddr};

/// An address and how many of its bits are the network's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subnet {
    address: IpAddr,
    length: u8,
}

impl Subnet {
    /// That network.
    pub const fn new(address: IpAddr, length: u8) -> Self {
        Self { address, length }
    }

    /// `10.42.0.0/16`, or an address alone, which is a network of one.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length.parse().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let length = length.unwrap_or(bits);
        (length <= bits).then_some(Self { address, length })
    }

    /// Every address of the other one is in this one.
    pub fn contains(&self, other: &Self) -> bool {
        self.length <= other.length && self.network(self.length) == other.network(self.length)
    }

    /// Some address is in both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.contains(other) || other.contains(self)
    }

    /// The first bits, and of which version they are.
    fn network(&self, length: u8) -> (bool, u128) {
        let (bits, address) = match self.address {
            IpAddr::V4(address) => (32, u128::from(u32::from(address))),
            IpAddr::V6(address) => (128, u128::from(address)),
        };
        let host = u32::from(u8::saturating_sub(bits, length));
        (self.address.is_ipv4(), address.checked_shr(host).unwrap_or(0))
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_one = self.length == if self.address.is_ipv4() { 32 } else { 128 };
        if is_one {
            return write!(to, "{}", self.address);
        }
        write!(to, "{}/{}", self.address, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_each_other_or_do_not_meet() {
        let net = |text| Subnet::parse(text).unwrap();
        assert!(net("10.0.0.0/8").contains(&net("10.42.0.0/16")));
        assert!(!net("10.42.0.0/16").contains(&net("10.0.0.0/8")));
        assert!(net("10.42.0.0/16").overlaps(&net("10.0.0.0/8")));
        assert!(!net("10.42.0.0/16").overlaps(&net("10.43.0.1")));
        assert!(net("0.0.0.0/0").contains(&net("1.2.3.4")));
        assert!(!net("0.0.0.0/0").overlaps(&net("::/0")));
        assert!(net("fd00::/8").contains(&net("fd12::1")));
        for wrong in ["", "10.0.0.0/33", "10.0.0/8", "a", "::/129", "1.2.3.4/"] {
            assert_eq!(Subnet::parse(wrong), None, "{wrong}");
        }
    }
}
