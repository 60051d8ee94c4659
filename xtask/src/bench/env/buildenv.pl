# What nixpkgs' buildEnv does with a list of prefixes, as its documentation and messages describe it:
# one process, depth first; a name that a single prefix has becomes one link, a directory that several
# have is walked for each, two files are compared by content and mode.
#
# With a Python it goes on as `python.withPackages` does: each program of the prefixes is run by a small
# one in C, compiled for it, that tells Python where the environment is.
#
# usage: perl buildenv.pl LIST OUT [PYTHON], where LIST names a prefix in each line
use strict;
use warnings;
use Cwd 'abs_path';
use File::Compare;
use File::Path;

my ($list, $out, $python) = @ARGV;
open my $in, '<', $list or die "$list: $!\n";
chomp(my @prefixes = <$in>);
close $in;

# Path below the prefix => what it links to; the empty text for a directory of our own.
my %entries = ('' => '');

sub same_file {
    my ($one, $other) = @_;
    return 0 unless -f $one && -f $other;
    my ($mode, $other_mode) = ((stat $one)[2], (stat $other)[2]);
    return $mode == $other_mode && compare($one, $other) == 0;
}

sub enter {
    my ($path, $target, $base) = @_;
    return if $path eq '/propagated-build-inputs' || $path eq '/nix-support';
    return if $path =~ m{info/dir$};
    return if $path =~ m{^/share/mime/} && $path !~ m{^/share/mime/packages};
    return if $base eq 'perllocal.pod' || $base eq 'log';
    my $old = $entries{$path};
    if (!defined $old) {
        if (-l $target && !-e $target) {
            warn "dangling: $target\n";
        }
        $entries{$path} = $target;
        return;
    }
    return if $old ne '' && abs_path($target) eq abs_path($old);
    unless (-d $target && ($old eq '' || -d $old)) {
        return if $old ne '' && same_file($old, $target);
        die "collision between `$target' and `$old'\n";
    }
    walk($path, $old) if $old ne '';
    walk($path, $target);
    $entries{$path} = '';
}

sub walk {
    my ($path, $target) = @_;
    opendir my $dir, $target or die "$target: $!\n";
    my @names = readdir $dir;
    closedir $dir;
    for my $name (@names) {
        next if $name eq '.' || $name eq '..';
        enter("$path/$name", "$target/$name", $name);
    }
}

# What a prefix propagates comes behind all that was named.
my %seen;
my @later;
sub add {
    my ($prefix) = @_;
    return if $seen{$prefix}++;
    walk('', $prefix);
    my $file = "$prefix/nix-support/propagated-user-env-packages";
    if (-e $file) {
        open my $handle, '<', $file or die "$file: $!\n";
        my $line = <$handle>;
        push @later, split ' ', $line // '';
    }
}
add($_) for @prefixes;
while (@later) {
    my @now = @later;
    @later = ();
    add($_) for @now;
}

my $links = 0;
mkdir $out or die "$out: $!\n";
for my $path (sort keys %entries) {
    next if $path eq '';
    my $target = $entries{$path};
    if ($target eq '') {
        mkdir "$out$path" or die "$out$path: $!\n";
    } else {
        symlink $target, "$out$path" or die "$out$path: $!\n";
        $links++;
    }
}
warn "created $links symlinks in user environment\n";

sub wrap {
    my ($program, $wrapper) = @_;
    unlink $wrapper;
    my %variables = (
        NIX_PYTHONPREFIX => $out,
        NIX_PYTHONEXECUTABLE => $python,
        NIX_PYTHONPATH => "$out/lib/python3.11/site-packages",
        PYTHONNOUSERSITE => 'true',
    );
    my $set = join '', map { qq{    setenv("$_", "$variables{$_}", 1);\n} } sort keys %variables;
    my @flags = qw(-Wall -Werror -Wpedantic -Wno-overlength-strings -Os -x c);
    open my $compiler, '|-', 'cc', @flags, '-o', $wrapper, '-' or die "cc: $!\n";
    print $compiler <<"END";
#define _POSIX_C_SOURCE 200112L
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv) {
    (void)argc;
${set}    argv[0] = "$wrapper";
    return execv("$program", argv);
}
END
    close $compiler or die "cc failed for $wrapper\n";
}

if (defined $python) {
    if (-l "$out/bin") {
        unlink "$out/bin";
    }
    mkdir "$out/bin" unless -d "$out/bin";
    for my $prefix (@prefixes) {
        for my $program (glob "$prefix/bin/*") {
            wrap($program, "$out/bin/" . ($program =~ s{.*/}{}r)) if -f $program && -x $program;
        }
    }
}
