# A client for the build: imap.pl login|create|append NAME PASSWORD [MAILBOX]
# `create` makes the mailboxes of the users on standard input, `append` delivers standard input to a mailbox and looks
# at it.
use strict;
use warnings;
use IO::Socket::INET;

my ($what, $name, $password, $mailbox) = @ARGV;
my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1:143', Timeout => 5) or exit 1;
my $greeting = <$server>;
defined $greeting && $greeting =~ /^\* OK/ or exit 1;

# Sends a command, and ends the script unless it is answered as wanted.
sub command {
    my ($line, $want) = (@_, 'a OK');
    print $server "$line\r\n";
    while (my $answer = <$server>) {
        return if $answer =~ /^\Q$want\E/;
        die "$line: $answer" if $answer =~ /^(a|\+) /;
    }
    die "$line: the server hung up\n";
}

command("a LOGIN \"$name\" \"$password\"");
if ($what eq 'create') {
    while (my $user = <STDIN>) {
        chomp $user;
        command("a CREATE \"user/$user\"");
        command("a SETACL \"user/$user\" cyrus lrswipkxtecda");
    }
} elsif ($what eq 'append') {
    my $message = join '', <STDIN>;
    $message =~ s/\r?\n/\r\n/g;
    command("a APPEND \"$mailbox\" (\\Seen) {" . length($message) . '}', '+');
    command($message);
    command("a SELECT \"$mailbox\"");
}
command('a LOGOUT');
