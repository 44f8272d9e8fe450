#!/usr/bin/perl
# Stands before a port without TLS and keeps STARTTLS from the client: filter.pl strip|remove PORT DOVECOTS-PORT
#
# `strip` takes STARTTLS and STLS out of the lists of capabilities, as some firewalls do; the commands work on.
# `remove` refuses the commands as well.
use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;

my ($mode, $port, $behind) = @ARGV;
$SIG{CHLD} = 'IGNORE';

my $listener = IO::Socket::INET->new(LocalPort => $port, Listen => 128, ReuseAddr => 1) or die "port $port: $!";
while (1) {
    my $client = $listener->accept or next;
    next if fork;
    relay($client, connect_behind());
    exit;
}

# Dovecot may still be starting.
sub connect_behind {
    for (1 .. 100) {
        my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $behind, LocalAddr => '127.0.0.2');
        return $server if $server;
        select undef, undef, undef, 0.1;
    }
    die "nothing listens on port $behind";
}

# Passes lines on, one by one, until STARTTLS; from then on octets as they come.
sub relay {
    my ($client, $server) = @_;
    my $is_filtered = 1;
    my %unread = ($client => '', $server => '');
    my $sockets = IO::Select->new($client, $server);
    while (my @ready = $sockets->can_read) {
        for my $from (@ready) {
            my $to = $from == $client ? $server : $client;
            sysread($from, my $octets, 65536) or return;
            $unread{$from} .= $octets;
            while ($is_filtered && $unread{$from} =~ s/\A([^\n]*\n)//) {
                my $line = $1;
                if ($from == $server) {
                    $line =~ s/ STARTTLS\b//;
                    write_all($client, $line) unless $line =~ /^STLS\r?\n/;
                } elsif ($line !~ /^(?:(\S+) STARTTLS|STLS)\b/i) {
                    write_all($server, $line);
                } elsif ($mode eq 'remove') {
                    write_all($client, defined $1 ? "$1 BAD Unknown command.\r\n" : "-ERR Unknown command.\r\n");
                } else {
                    write_all($server, $line);
                    $is_filtered = 0;
                }
            }
            next if $is_filtered;
            write_all($server, $unread{$client});
            write_all($client, $unread{$server});
            %unread = ($client => '', $server => '');
        }
    }
}

sub write_all {
    my ($to, $octets) = @_;
    while (length $octets) {
        my $written = syswrite($to, $octets) or exit;
        substr($octets, 0, $written, '');
    }
}
