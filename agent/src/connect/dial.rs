//! Connects to a host with several addresses. An address that leads nowhere, as an IPv6 address does on a closed network
//! that has IPv6 inside only, costs a quarter of a second instead of the two minutes until the system gives up
//! (RFC 8305).

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// After this time the next address is tried as well.
const NEXT_AFTER: Duration = Duration::from_millis(250);

/// Connects to the first address of `host` that answers.
pub(crate) async fn dial(host: &str, port: u16) -> io::Result<TcpStream> {
    let addresses = tokio::net::lookup_host((host, port)).await?.collect();
    first_of(alternating(addresses)).await
}

/// The addresses by turns of IPv6 and IPv4, beginning with the family of the first one.
fn alternating(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_ipv6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (one, other): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|address| address.is_ipv6() == first_is_ipv6);
    let longer = one.len().max(other.len());
    (0..longer).flat_map(|index| [one.get(index), other.get(index)]).flatten().copied().collect()
}

/// The first connection that is made. An address that refuses is followed by the next one at once.
async fn first_of(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut error = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    let mut addresses = addresses.into_iter();
    let mut attempts = JoinSet::new();
    loop {
        let next = addresses.next();
        let is_over = next.is_none();
        if let Some(address) = next {
            attempts.spawn(TcpStream::connect(address));
        }
        let connected = tokio::select! {
            connected = attempts.join_next() => connected,
            () = tokio::time::sleep(NEXT_AFTER), if !is_over => continue,
        };
        match connected {
            Some(Ok(Ok(stream))) => return Ok(stream),
            Some(Ok(Err(failed))) => error = failed,
            Some(Err(failed)) => error = failed.into(),
            None => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

    use socket2::{Domain, Socket, Type};
    use tokio::time::Instant;

    use super::*;

    /// A listener that has no room for another connection: the system drops what asks for one, and nothing answers.
    struct BlackHole {
        address: SocketAddr,
        _listener: Socket,
        _waiting: Vec<Socket>,
    }

    impl BlackHole {
        fn open(address: SocketAddr) -> Self {
            let domain = Domain::for_address(address);
            let listener = Socket::new(domain, Type::STREAM, None).unwrap();
            listener.bind(&address.into()).unwrap();
            listener.listen(0).unwrap();
            let address = listener.local_addr().unwrap().as_socket().unwrap();
            let mut waiting = Vec::new();
            // The system takes a few more than it was asked for.
            loop {
                let socket = Socket::new(domain, Type::STREAM, None).unwrap();
                if socket.connect_timeout(&address.into(), Duration::from_millis(300)).is_err() {
                    break;
                }
                waiting.push(socket);
            }
            Self { address, _listener: listener, _waiting: waiting }
        }
    }

    fn local(ipv6: bool) -> SocketAddr {
        if ipv6 { (Ipv6Addr::LOCALHOST, 0).into() } else { (Ipv4Addr::LOCALHOST, 0).into() }
    }

    #[tokio::test]
    async fn an_address_that_leads_nowhere_costs_a_quarter_of_a_second() {
        let holes = [BlackHole::open(local(true)), BlackHole::open(local(false))];
        let server = TcpListener::bind(local(false)).unwrap();
        let there = server.local_addr().unwrap();
        let all = holes.iter().map(|hole| hole.address).chain([there]).collect();
        let began = Instant::now();
        let stream = first_of(all).await.unwrap();
        let took = began.elapsed();
        assert_eq!(stream.peer_addr().unwrap(), there);
        assert!(took >= NEXT_AFTER * 2 && took < Duration::from_secs(10), "{took:?}");
    }

    #[tokio::test]
    async fn an_address_that_refuses_costs_nothing_and_its_error_is_the_answer() {
        let closed = TcpListener::bind(local(false)).unwrap().local_addr().unwrap();
        let server = TcpListener::bind(local(false)).unwrap();
        let there = server.local_addr().unwrap();
        let stream = first_of(vec![closed, there]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), there);
        let refused = first_of(vec![closed, closed]).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(first_of(Vec::new()).await.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn both_families_are_tried_early() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let [six, seven, eight] = ["[fd00::6]:1", "[fd00::7]:1", "[fd00::8]:1"].map(address);
        let [four, five] = ["192.0.2.4:1", "192.0.2.5:1"].map(address);
        assert_eq!(alternating(vec![six, seven, eight, four, five]), [six, four, seven, five, eight]);
        assert_eq!(alternating(vec![four, six]), [four, six]);
        assert_eq!(alternating(vec![six, seven]), [six, seven]);
    }
}
