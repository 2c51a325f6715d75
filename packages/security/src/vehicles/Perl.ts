/**
 * perl-base (Essential on Debian and Ubuntu): `syscall`, `socket` and `connect` are builtins and need no module.
 * Strings that the kernel may write must be variables: a literal dies with "Modification of a read-only value".
 */
import { hex, maxLines, missingFacts, octets, pointedHex, scratchName } from "../internal/script.ts"
import type { Probe, SyscallArgument } from "../Probe.ts"
import type { ProbeProgram, ProbeVehicle } from "../ProbeVehicle.ts"
import type { Architecture } from "../SyscallTable.ts"
import { numberOf } from "../SyscallTable.ts"

const prelude = (nonce: string): string => `$| = 1; $SIG{PIPE} = 'IGNORE'; my $n = '${nonce}';
sub h { pack 'H*', $_[0] }
sub say1 { print "$n $_[0] $_[1] $_[2]\\n" }
sub bad { say1($_[0], 'no', $_[1]) }
sub ok { say1($_[0], 'ok', $_[1]) }
sub line { my ($i, $l) = @_; $l =~ s/[^\\x20-\\x7e\\t]/?/g; say1($i, 't', substr($l, 0, 4096)) }
sub readtext { my ($i, $p) = @_; my ($c, $l) = (0);
  open(my $f, '<', $p) or return bad($i, $!+0);
  while (1) { $! = 0; $l = <$f>; last unless defined $l; last if $c++ >= ${maxLines}; chomp $l; line($i, $l) }
  return bad($i, $!+0) if !defined $l && $!+0;
  say1($i, 'end', defined $l ? 'cut' : 'all') }
sub listdir { my ($i, $p) = @_;
  opendir(my $d, $p) or return bad($i, $!+0);
  my $c = 0; for (sort readdir $d) { next if $_ eq '.' || $_ eq '..'; last if $c++ >= ${maxLines}; line($i, $_) }
  say1($i, 'end', $c > ${maxLines} ? 'cut' : 'all') }
sub readlnk { my ($i, $p) = @_; my $l = readlink $p; return bad($i, $!+0) unless defined $l; line($i, $l); say1($i, 'end', 'all') }
sub openw { my ($i, $p) = @_; sysopen(my $f, $p, 1|02000|04000) ? ok($i, 0) : bad($i, $!+0) }
sub create { my ($i, $p) = @_; if (sysopen(my $f, $p, 1|0100|0200, 0600)) { unlink $p; ok($i, 0) } else { bad($i, $!+0) } }
sub ret { my ($i, $r) = @_; $r == -1 ? bad($i, $!+0) : ok($i, $r+0) }
sub sock { my ($i, $f, $t, $p) = @_; socket(my $s, $f, $t, $p) ? ok($i, 0) : bad($i, $!+0) }
sub conn { my ($i, $t, $port, @ip) = @_;
  socket(my $s, 2, $t|04000, 0) or return say1($i, 'msg', "socket: errno ".($!+0));
  connect($s, pack('S n C4 x8', 2, $port, @ip)) ? ok($i, 0) : bad($i, $!+0) }
sub sig { my ($i, $p) = @_; kill(0, $p) ? ok($i, 0) : bad($i, $!+0) }
`

const argument = (value: SyscallArgument, place: number): { readonly setup: string; readonly use: string } =>
  typeof value === "number"
    ? { setup: "", use: String(value) }
    : { setup: `my $b${place} = h('${pointedHex(value)}'); `, use: `$b${place}` }

const call = (index: number, probe: Probe, program: ProbeProgram, architecture: Architecture): string => {
  switch (probe._tag) {
    case "ReadText":
      return `readtext(${index}, h('${hex(probe.path)}'))`
    case "ReadLink":
      return `readlnk(${index}, h('${hex(probe.path)}'))`
    case "ListDirectory":
      return `listdir(${index}, h('${hex(probe.path)}'))`
    case "OpenWrite":
      return `openw(${index}, h('${hex(probe.path)}'))`
    case "CreateFile":
      return `create(${index}, h('${hex(`${probe.directory}/${scratchName(program)}`)}'))`
    case "OpenSocket":
      return `sock(${index}, ${probe.family}, ${probe.type}, ${probe.protocol})`
    case "Connect":
      return `conn(${index}, ${probe.transport === "tcp" ? 1 : 2}, ${probe.port}, ${octets(probe.address).join(", ")})`
    case "SignalHostPid":
      return `sig(${index}, ${program.hostPid})`
    case "Syscall": {
      const args = probe.args.map(argument)
      const list = [numberOf(probe.name, architecture), ...args.map((arg) => arg.use)].join(", ")
      return `{ ${args.map((arg) => arg.setup).join("")}ret(${index}, syscall(${list})) }`
    }
  }
}

export const perl: ProbeVehicle = {
  name: "perl",
  argv: ["perl", "-"],
  env: { LC_ALL: "C", PERL5OPT: "", PERL5LIB: "" },
  refusal: missingFacts,
  script: (program) => {
    const lines = program.probes.flatMap((probe, index) =>
      missingFacts(probe, program) === undefined
        ? [`${call(index, probe, program, program.architecture ?? "x86_64")};`]
        : []
    )
    return `${prelude(program.nonce)}${lines.join("\n")}\nprint "$n - done ${lines.length}\\n";\n__END__\n`
  }
}
