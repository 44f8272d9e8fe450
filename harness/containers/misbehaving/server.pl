# An IMAP server of a few lines that harms itself on purpose: see Dockerfile.
use strict;
use warnings;
use IO::Socket::INET;

$SIG{CHLD} = 'IGNORE';
# The first process has no default action for signals.
$SIG{TERM} = sub { exit 0 };
my $listener = IO::Socket::INET->new(LocalPort => 143, Listen => 64, ReuseAddr => 1) or die "cannot listen: $!";
my %grown;
print STDERR "ready\n";
while (1) {
    my $client = $listener->accept or next;
    next if fork;
    close $listener;
    serve($client);
    exit 0;
}

sub serve {
    my ($client) = @_;
    my $canary = "X-Loginspec-Mailbox: Same\r\n\r\n";
    $client->autoflush(1);
    print $client "* OK [CAPABILITY IMAP4rev1] ready\r\n";
    while (my $line = <$client>) {
        my ($tag, $verb) = $line =~ /^(\S+) (\S+(?: FETCH)?)/ or return;
        if (uc $verb eq 'LOGIN') {
            if ($line =~ /spin/) { 1 while 1 }
            if ($line =~ /grow/) {
                $grown{$_} = 'x' x (1 << 20) for 1 .. 300;
                sleep 5;
            }
            if ($line =~ /dump/) { kill ABRT => $$; sleep 5 }
            if ($line =~ /end/) { kill TERM => getppid; return }
            if ($line =~ /Same/ && $line =~ /Secret-Same/) { print $client "$tag OK in\r\n" }
            else { print $client "$tag NO [AUTHENTICATIONFAILED] no\r\n" }
        } elsif (uc $verb =~ /^(SELECT|EXAMINE)$/) {
            print $client "* 1 EXISTS\r\n* 0 RECENT\r\n* FLAGS ()\r\n* OK [UIDVALIDITY 1] x\r\n$tag OK [READ-ONLY] done\r\n";
        } elsif ($line =~ /FETCH/i) {
            my ($section) = $line =~ /BODY(?:\.PEEK)?(\[.*\])/i;
            print $client "* 1 FETCH (BODY$section {" . length($canary) . "}\r\n$canary)\r\n$tag OK done\r\n";
        } elsif (uc $verb eq 'CAPABILITY') {
            print $client "* CAPABILITY IMAP4rev1\r\n$tag OK done\r\n";
        } elsif (uc $verb eq 'LOGOUT') {
            print $client "* BYE bye\r\n$tag OK done\r\n";
            return;
        } else {
            print $client "$tag BAD no\r\n";
        }
    }
}
