# Makes links that are all decided: what is left of the work of a maker of links. No name may have a
# tab or a line break.
#
# usage: perl links.pl LIST OUT, where a line of LIST is a directory, or a link, a tab and its target
use strict;
use warnings;

my ($list, $out) = @ARGV;
open my $in, '<', $list or die "$list: $!\n";
mkdir $out or die "$out: $!\n";
while (my $line = <$in>) {
    chomp $line;
    my ($path, $target) = split /\t/, $line;
    my $made = defined $target ? symlink($target, "$out/$path") : mkdir("$out/$path");
    die "$path: $!\n" unless $made;
}
