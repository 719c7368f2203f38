/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line: what good options make of the configuration, and every message of a bad one,
 * word by word. */
#include "control/cmdline.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"

#define WORDS 32

/* What was printed to `out` by the last run. */
struct run {
	struct config c;
	struct err e;
	int rc;
	char *out;
};

/* Runs "vmwire" with the words; no word of the tests holds a blank but those in v. */
static void parse(struct run *r, const char *const *v)
{
	char *argv[WORDS] = {(char *)"vmwire"};
	int argc = 1;
	size_t len;
	FILE *f;

	*r = (struct run){.rc = 0};
	f = open_memstream(&r->out, &len);
	assert_non_null(f);
	for (; *v && argc < WORDS - 1; v++)
		argv[argc++] = (char *)*v;
	r->rc = cmdline_parse(argc, argv, &r->c, f, &r->e);
	fclose(f);
}

static void done(struct run *r)
{
	config_free(&r->c);
	free(r->out);
}

#define PARSE(r, ...) parse(r, (const char *const[]){__VA_ARGS__, NULL})

static void expect_error(const char *message, const char *const *v)
{
	struct run r;

	parse(&r, v);
	assert_true(r.rc < 0);
	assert_string_equal(r.e.text, message);
	assert_null(strchr(r.e.text, '\n'));
	assert_string_equal(r.out, "");
	done(&r);
}

#define BAD(message, ...) expect_error(message, (const char *const[]){__VA_ARGS__, NULL})

#define MODELS                                                                                     \
	"virtio-net-pci, virtio, virtio-net, rtl8139, e1000, e1000-82540em, e1000-82544gc, "       \
	"e1000-82545em"

/* N1 to N7: each of these exits with one line that names option, value and what is allowed. */
static void net_nic_errors(void **state)
{
	(void)state;
	BAD("-net nic: model=foo is not known: allowed are " MODELS, "-net", "nic,model=foo");
	BAD("-net nic: foo=1 is not an option: allowed are vlan, macaddr, model, name, addr, "
	    "vectors, netdev",
	    "-net", "nic,foo=1");
	BAD("-net usr is not known: did you mean -net user? Allowed: nic, user, tap, bridge, "
	    "macvtap, nat, dummy, none",
	    "-net", "usr");
	BAD("-net nic: macaddr=zz is not a MAC address: give six hexadecimal bytes, e.g. "
	    "macaddr=52:54:00:12:34:56",
	    "-net", "nic,macaddr=zz");
	BAD("-net nic: model=virtoi is not known: did you mean virtio? Allowed: " MODELS, "-net",
	    "nic,model=virtoi");
	BAD("-net nic: model=e1000e is not implemented yet: allowed are " MODELS, "-net",
	    "nic,model=e1000e");
	BAD("-net nic: vectors=9999 is out of range: give 0 to 2048", "-net", "nic,vectors=9999");
	BAD("-net nic: vlan=-1 is not a number: give 0 to 255, e.g. vlan=1", "-net", "nic,vlan=-1");
	BAD("-net nic: addr=20 is not possible: give the slot, 0x2 to 0x1f, and if need be the "
	    "function, 0 to 7, e.g. addr=0x4 or addr=0x4.0x1",
	    "-net", "nic,addr=20");
	BAD("-net nic,modl=virtio: modl= is not an option; write: -net nic,model=virtio", "-net",
	    "nic,modl=virtio");
}

static void machine_errors(void **state)
{
	(void)state;
	BAD("-m 1x is not a size: give a number of MiB, or a number with an optional suffix k, M, "
	    "G or T, e.g. -m 512M",
	    "-m", "1x");
	BAD("-m 1 is out of range: give 16M to 1T", "-m", "1");
	BAD("-m 1G,slots=2: memory that grows is not implemented yet: give one size, e.g. -m 512M",
	    "-m", "1G,slots=2");
	BAD("-smp 0 is out of range: give 1 to 255", "-smp", "0");
	BAD("-smp 2x is not a number: give 1 to 255, e.g. -smp 1", "-smp", "2x");
	BAD("-smp 2,cores=2: cores, threads and dies are not implemented yet, each CPU is a socket "
	    "of its own: give -smp 2",
	    "-smp", "2,cores=2");
	BAD("-machine q35 is not implemented yet: allowed are pc (i440FX) and none", "-machine",
	    "q35");
	BAD("-machine pcc is not known: allowed are pc and none", "-machine", "pcc");
	BAD("-accel tcg is not known: allowed are kvm, qtest", "-accel", "tcg");
	BAD("-accel kvn is not known: did you mean kvm? Allowed: kvm, qtest", "-accel", "kvn");
	BAD("-machine: accel=xen:tcg is not known: allowed are kvm, qtest", "-machine",
	    "pc,accel=xen:tcg");
	BAD("-accel qtest: -qtest is missing: give -qtest unix:PATH[,server=on][,wait=off]",
	    "-accel", "qtest");
	BAD("-qtest unix:/q: needs -accel qtest, not -accel kvm", "-accel", "kvm", "-qtest",
	    "unix:/q");
	BAD("-cpu qemu64 is not implemented yet: allowed is host, the default", "-cpu", "qemu64");
	BAD("-bios b: a kernel given by -kernel starts without firmware: leave one of the two out",
	    "-bios", "b", "-kernel", "vmlinuz");
	BAD("-boot: order=cx is not possible: allowed are a (floppy), c (disk), d (CD), n "
	    "(network), each once, at most three",
	    "-boot", "cx");
	BAD("-append: needs -kernel", "-append", "quiet");
	BAD("-kernel: -machine none has no guest: leave one of the two out", "-machine", "none",
	    "-kernel", "vmlinuz");
}

static void word_errors(void **state)
{
	(void)state;
	BAD("-fda is not implemented yet: -h lists what is", "-fda", "disk.img");
	BAD("-spice is not implemented yet: -h lists what is", "--spice", "port=1");
	BAD("-kernal is not an option: did you mean -kernel? -h lists all", "-kernal", "x");
	BAD("-foo is not an option: -h lists all", "-foo");
	BAD("- belongs to no option, and there is no disk image of that name; -h lists the options",
	    "-");
	BAD("cs-01.qcow2 belongs to no option, and there is no disk image of that name; -h lists "
	    "the options",
	    "cs-01.qcow2");
	BAD("kernel belongs to no option: did you mean -kernel?", "kernel");
	BAD("-m needs a value: -h lists the options", "-m");
}

/* V4: the document's own slips, and relatives. */
static void slips(void **state)
{
	(void)state;
	BAD("-net vlan=0,macaddr=fe:54:00:86:0d:04,model=rtl8139 ,name=eth0,addr=0x0: a blank "
	    "splits it in two, its kind (nic) is missing, PCI slot 0 is the host bridge's (addr= "
	    "may be 0x2 to 0x1f); write: -net "
	    "nic,vlan=0,macaddr=fe:54:00:86:0d:04,model=rtl8139,name=eth0",
	    "-net", "vlan=0,macaddr=fe:54:00:86:0d:04,model=rtl8139", ",name=eth0,addr=0x0");
	BAD("-net tap ifname=vnet0,script=/etc/qemu-ifup: a blank splits it in two; write: -net "
	    "tap,ifname=vnet0,script=/etc/qemu-ifup",
	    "-net", "tap", "ifname=vnet0,script=/etc/qemu-ifup");
	BAD("-net nic,addr=0x0,name=eth0: PCI slot 0 is the host bridge's (addr= may be 0x2 to "
	    "0x1f); write: -net nic,name=eth0",
	    "-net", "nic,addr=0x0,name=eth0");
	BAD("-net nic, model=virtio: a blank splits it in two; write: -net nic,model=virtio",
	    "-net", "nic,", "model=virtio");
	BAD("-net vlan=0,ifname=tap0: its kind (tap) is missing; write: -net "
	    "tap,vlan=0,ifname=tap0",
	    "-net", "vlan=0,ifname=tap0");
	BAD("-netdev user,id=n0 ,restrict=on: a blank splits it in two; write: -netdev "
	    "user,id=n0,restrict=on",
	    "-netdev", "user,id=n0", ",restrict=on");
}

static void network_errors(void **state)
{
	(void)state;
	BAD("-net vde is not implemented yet: allowed are nic, user, tap, bridge, macvtap, nat, "
	    "dummy, "
	    "none",
	    "-net", "vde,sock=x");
	BAD("-netdev usr is not known: did you mean -netdev user,id=a? Allowed: user, tap, bridge, "
	    "macvtap, nat, dummy, "
	    "hubport",
	    "-netdev", "usr,id=a");
	BAD("-netdev user: id= is missing: give it a name, e.g. -netdev user,id=net0", "-netdev",
	    "user");
	BAD("-device e1000e is not implemented yet: allowed are " MODELS, "-device",
	    "e1000e,netdev=n0");
	BAD("-device foo is not known: allowed are " MODELS, "-device", "foo");
	BAD("-nic user: mac=1 is not a MAC address: give six hexadecimal bytes, e.g. "
	    "mac=52:54:00:12:34:56",
	    "-nic", "user,mac=1");
	BAD("-net user: contradicts -net none (or -nic none): leave one of them out", "-kernel",
	    "k", "-nic", "none", "-net", "user");
	BAD("-device virtio-net-pci: netdev=nt0 is not there: did you mean netdev=net0?", "-kernel",
	    "k", "-netdev", "user,id=net0", "-device", "virtio-net-pci,netdev=nt0");
	BAD("-device virtio-net-pci: netdev=n is joined to virtio-net-pci.0 already: give each its "
	    "own",
	    "-kernel", "k", "-netdev", "user,id=n", "-device", "virtio-net-pci,netdev=n", "-device",
	    "virtio-net-pci,netdev=n");
	BAD("-netdev user: the name n is used twice: give another", "-kernel", "k", "-netdev",
	    "user,id=n", "-netdev", "user,id=n");
	BAD("-net nic: macaddr=52:54:00:00:00:01 is the address of two cards (rtl8139.1 and "
	    "rtl8139.0): give each its own",
	    "-kernel", "k", "-net", "nic,macaddr=52:54:00:00:00:01", "-net",
	    "nic,macaddr=52:54:00:00:00:01");
	BAD("-net nic: -machine none has no guest and so no cards: leave it out, or give -machine "
	    "pc",
	    "-machine", "none", "-net", "nic");
}

#define SOCKETS "unix:PATH, tcp:HOST:PORT and telnet:HOST:PORT[,server=on][,wait=off], chardev:ID"

static void console_errors(void **state)
{
	(void)state;
	BAD("-serial stdio and -monitor stdio want the same terminal: give -serial mon:stdio "
	    "(Ctrl-A c switches) or -nographic",
	    "-kernel", "k", "-serial", "stdio", "-monitor", "stdio");
	BAD("-serial null: a second serial port is not implemented yet: give -serial once",
	    "-serial", "stdio", "-serial", "null");
	BAD("-serial pty is not implemented yet: allowed are stdio, mon:stdio, null, none, "
	    "file:PATH, " SOCKETS,
	    "-serial", "pty");
	BAD("-monitor unx:/x is not known: did you mean unix:/x? Allowed: stdio, null, "
	    "none, " SOCKETS,
	    "-monitor", "unx:/x");
	BAD("-display gtk is not implemented yet: allowed are none, vnc and vnc=ADDRESS (there "
	    "are no windows: a VNC viewer is one)",
	    "-display", "gtk");
}

/* D3 and the lists: printed, nothing run. */
static void lists(void **state)
{
	static const struct {
		const char *opt, *arg, *has;
	} t[] = {
		{"-net", "nic,model=?", "virtio-net-pci"},
		{"-net", "nic,model=help", "virtio_net"},
		{"-device", "help", "virtio-net-pci"},
		{"-device", "virtio-net-pci,help", "\n  mrg_rxbuf=on|off "},
		{"-net", "nic,help", "\n  macaddr=mac "},
		{"-net", "help", "\n  user "},
		{"-netdev", "help", "\n  hubport "},
		{"-netdev", "tap,help", "\n  ifname=name "},
		{"-netdev", "hubport,?", "\n  hubid=n "},
		{"-nic", "help", "\n  tap "},
		{"-nic", "user,model=help", "virtio-net-pci"},
		{"-accel", "help", "\n  qtest "},
		{"-machine", "help", "\n  none "},
		{"-smp", "help", "\n  cpus=n "},
		{"-cpu", "help", "\n  host "},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		struct run r;

		PARSE(&r, t[i].opt, t[i].arg);
		assert_int_equal(r.rc, CMDLINE_DONE);
		assert_non_null(strstr(r.out, t[i].has));
		done(&r);
	}
}

/* Each line of the help has the same column for its text. */
static void help_is_aligned(void **state)
{
	struct run r;
	size_t column = 0;

	(void)state;
	PARSE(&r, "--help");
	assert_int_equal(r.rc, CMDLINE_DONE);
	for (char *line = strtok(r.out, "\n"); line; line = strtok(NULL, "\n")) {
		size_t n = 0;
		char *text = strncmp(line, "  -", 3) ? NULL : strstr(line + 3, "  ");

		if (!text)
			continue;
		text += strspn(text, " ");
		for (char *p = line; p < text; p++)
			n += ((unsigned char)*p & 0xc0) != 0x80;
		if (!column)
			column = n;
		assert_int_equal(n, column);
	}
	assert_true(column > 10);
	done(&r);
}

static void boot_options(void **state)
{
	struct run r;

	(void)state;
	PARSE(&r, "-nographic");
	assert_int_equal(r.rc, CMDLINE_RUN);
	assert_null(r.c.boot.bios);
	assert_string_equal(r.c.boot.order, "cad");
	assert_string_equal(r.c.boot.once, "");
	assert_int_equal(r.c.boot.menu_wait, -1);
	assert_int_equal(r.c.boot.fail_wait, -2);
	assert_true(r.c.boot.nographic);
	done(&r);
	PARSE(&r, "-boot", "dn", "-bios", "b", "-uuid", "00112233-4455-6677-8899-aAbBcCdDeEfF");
	assert_int_equal(r.rc, CMDLINE_RUN);
	assert_string_equal(r.c.boot.order, "dn");
	assert_string_equal(r.c.boot.bios, "b");
	assert_memory_equal(r.c.boot.uuid,
			    "\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff", 16);
	done(&r);
	PARSE(&r, "-boot", "order=c,once=d,menu=on,splash-time=5,reboot-timeout=-1,strict=on",
	      "-net", "none");
	assert_int_equal(r.rc, CMDLINE_RUN);
	assert_string_equal(r.c.boot.once, "d");
	assert_true(r.c.boot.menu && r.c.boot.strict);
	assert_int_equal(r.c.boot.menu_wait, 5);
	assert_int_equal(r.c.boot.fail_wait, -1);
	done(&r);
}

static void what_the_guest_is_told(void **state)
{
	struct run r;

	(void)state;
	PARSE(&r, "-smbios", "type=1,serial=a,,b,product=p", "-smbios", "product=q,type=1",
	      "-smbios", "type=1,uuid=01020304-0506-0708-090a-0b0c0d0e0f10", "-smbios",
	      "type=11,value=x,value=y", "-smbios", "type=11,value=z", "-smbios",
	      "type=0,release=1.22", "-boot", "d", "-fw_cfg", "opt/a,string=text", "-fw_cfg",
	      "name=opt/b,file=/f", "-option-rom", "/x/y.rom");
	assert_int_equal(r.rc, CMDLINE_RUN);
	assert_string_equal(r.c.smbios.text[SYSTEM_SERIAL], "a,b");
	assert_string_equal(r.c.smbios.text[SYSTEM_PRODUCT], "q");
	assert_int_equal(r.c.boot.uuid[15], 16);
	assert_int_equal(r.c.smbios.oem.n, 3);
	assert_string_equal(r.c.smbios.oem.v[2], "z");
	assert_true(r.c.smbios.bios && !r.c.smbios.board && r.c.smbios.release_given);
	assert_int_equal(r.c.smbios.release[1], 22);
	assert_ptr_equal(r.c.boot.smbios, &r.c.smbios);
	assert_int_equal(r.c.boot.nfiles, 3);
	assert_string_equal(r.c.boot.file[0].text, "text");
	assert_string_equal(r.c.boot.file[1].path, "/f");
	assert_string_equal(r.c.boot.file[2].name, "genroms/y.rom");
	done(&r);
	BAD("-smbios type=4,part=x: allowed are type=0, 1, 2, 3 and 11 with their texts: -smbios "
	    "help lists them (file= and other types are not implemented yet)",
	    "-smbios", "type=4,part=x");
	BAD("-smbios: release=1.256 is not possible: allowed are two numbers up to 255: 1.2",
	    "-smbios", "type=0,release=1.256");
	BAD("-smbios: uuid=1 is not possible: allowed are 32 hexadecimal digits in groups of "
	    "8-4-4-4-12",
	    "-smbios", "type=1,uuid=1");
	BAD("-fw_cfg name=opt/x: give name= and either file= or string=, e.g. -fw_cfg "
	    "name=opt/org.example.x,string=hello",
	    "-fw_cfg", "name=opt/x");
}

static void machine_options(void **state)
{
	struct run r;

	(void)state;
	PARSE(&r, "--enable-kvm", "-m", "2048", "-smp", "2", "-kernel", "k", "-initrd", "i",
	      "-append", "a b", "-name", "guest=box", "-no-reboot", "-nographic");
	assert_int_equal(r.rc, CMDLINE_RUN);
	assert_string_equal(config_accel(&r.c), "kvm");
	assert_int_equal(r.c.ram, 2048ull << 20);
	assert_int_equal(r.c.cpus, 2);
	assert_string_equal(r.c.append, "a b");
	assert_string_equal(r.c.name, "box");
	assert_true(r.c.no_reboot);
	assert_string_equal(r.c.serial, "stdio");
	assert_true(r.c.mux);
	assert_int_equal(r.c.nmon, 0);
	done(&r);
	PARSE(&r, "-m", "1G", "-smp", "cpus=3,sockets=3", "-M", "pc,accel=tcg:qtest", "-qtest",
	      "unix:/q", "-net", "none", "-nographic", "-monitor", "unix:/m,server=on,wait=off");
	assert_int_equal(r.rc, CMDLINE_RUN);
	assert_string_equal(config_accel(&r.c), "qtest");
	assert_int_equal(r.c.cpus, 3);
	assert_int_equal(r.c.nnet, 0);
	assert_false(r.c.mux);
	assert_string_equal(r.c.serial, "stdio");
	assert_int_equal(r.c.nmon, 1);
	assert_false(r.c.mon[0].qmp);
	assert_string_equal(r.c.mon[0].spec, "unix:/m,server=on,wait=off");
	assert_string_equal(r.c.mon[0].id, "compat_monitor0");
	done(&r);
	PARSE(&r, "-accel", "kvm,device=/dev/kvm2,probe=on");
	assert_int_equal(r.rc, CMDLINE_RUN);
	assert_true(r.c.probe);
	assert_string_equal(r.c.accel_device, "/dev/kvm2");
	done(&r);
}

/* D2: which card, by the program's name. */
static void default_card(void **state)
{
	char *was = program_invocation_short_name, qemu[] = "qemu-system-x86_64";
	struct run r;

	(void)state;
	PARSE(&r, "-kernel", "k", "-net", "nic");
	assert_string_equal(r.c.net[0].model->name, "rtl8139");
	done(&r);
	program_invocation_short_name = qemu;
	PARSE(&r, "-kernel", "k", "-net", "nic");
	program_invocation_short_name = was;
	assert_string_equal(r.c.net[0].model->name, "e1000");
	done(&r);
}

/* D1: no network option at all. */
static void default_network(void **state)
{
	struct run r;

	(void)state;
	PARSE(&r, "-kernel", "k");
	assert_int_equal(r.rc, CMDLINE_RUN);
	assert_int_equal(r.c.nnet, 2);
	assert_int_equal(r.c.net[0].kind, CONF_NIC);
	assert_int_equal(r.c.net[0].hub, 0);
	assert_string_equal(r.c.net[0].id, "rtl8139.0");
	assert_string_equal(r.c.net[1].backend->name, "user");
	assert_int_equal(r.c.net[1].hub, 0);
	assert_string_equal(r.c.net[1].id, "user.0");
	done(&r);
	PARSE(&r, "-kernel", "k", "-nic", "none");
	assert_int_equal(r.c.nnet, 0);
	done(&r);
	PARSE(&r, "-machine", "none");
	assert_int_equal(r.rc, CMDLINE_RUN);
	assert_int_equal(r.c.nnet, 0);
	done(&r);
	PARSE(&r, "-kernel", "k", "-nodefaults");
	assert_int_equal(r.c.nnet, 0);
	done(&r);
}

/* D4, N2 to N7 */
static void networks(void **state)
{
	static const uint8_t mac[6] = {0x52, 0x54, 0, 1, 2, 3};
	const struct nic_conf *n;
	struct run r;

	(void)state;
	PARSE(&r, "-kernel", "k", "-net",
	      "nic,vlan=3,macaddr=52:54:0:1:2:3,model=virtio,name=eth0,addr=0x5.1,vectors=0",
	      "-net", "user,vlan=3,name=u,hostfwd=tcp::2222-:22,hostfwd=udp::53-:53", "-net",
	      "nic,vlan=4", "-net", "dummy,vlan=4");
	assert_int_equal(r.rc, CMDLINE_RUN);
	assert_int_equal(r.c.nnet, 4);
	n = r.c.net[0].opts;
	assert_int_equal(r.c.net[0].hub, 3);
	assert_string_equal(r.c.net[0].id, "eth0");
	assert_memory_equal(n->mac.b, mac, 6);
	assert_int_equal(n->devfn, 5 << 3 | 1);
	assert_int_equal(n->vectors, 0);
	assert_string_equal(r.c.net[1].id, "u");
	assert_int_equal(r.c.net[1].hub, 3);
	n = r.c.net[2].opts;
	assert_int_equal(n->devfn, PCI_AUTO);
	assert_int_equal(n->vectors, NIC_VECTORS_AUTO);
	done(&r);
	PARSE(&r, "-kernel", "k", "-netdev", "user,id=n0", "-device",
	      "virtio-net-pci,netdev=n0,mac=52:54:00:01:02:03,id=card", "-netdev", "dummy,id=n1",
	      "-netdev", "hubport,id=h,hubid=7,netdev=n1");
	assert_int_equal(r.rc, CMDLINE_RUN);
	assert_int_equal(r.c.net[0].hub, CONFIG_NO_HUB);
	assert_string_equal(r.c.net[1].netdev, "n0");
	assert_string_equal(r.c.net[1].id, "card");
	assert_memory_equal(((struct nic_conf *)r.c.net[1].opts)->mac.b, mac, 6);
	assert_int_equal(r.c.net[3].kind, CONF_HUBPORT);
	assert_int_equal(r.c.net[3].hub, 7);
	assert_string_equal(r.c.net[3].netdev, "n1");
	done(&r);
	PARSE(&r, "-kernel", "k", "-nic", "user,model=virtio,mac=52:54:00:01:02:03,id=x");
	assert_int_equal(r.rc, CMDLINE_RUN);
	assert_int_equal(r.c.nnet, 2);
	assert_string_equal(r.c.net[0].id, "x");
	assert_string_equal(r.c.net[1].netdev, "x");
	assert_memory_equal(((struct nic_conf *)r.c.net[1].opts)->mac.b, mac, 6);
	done(&r);
}

static void mac_of(uint8_t mac[6], unsigned nic, const char *const *v)
{
	struct run r;

	parse(&r, v);
	assert_int_equal(r.rc, CMDLINE_RUN);
	memcpy(mac, ((struct nic_conf *)r.c.net[nic].opts)->mac.b, 6);
	done(&r);
}

#define MAC_OF(mac, nic, ...)                                                                      \
	mac_of(mac, nic, (const char *const[]){"-kernel", "k", __VA_ARGS__, NULL})

/* D5: the same guest has the same address at every start, others have others. */
static void made_up_macs(void **state)
{
	static const uint8_t prefix[3] = {0x52, 0x54, 0};
	uint8_t a[6], b[6];

	(void)state;
	MAC_OF(a, 0, "-name", "one");
	MAC_OF(b, 0, "-m", "512", "-name", "one");
	assert_memory_equal(a, b, 6);
	assert_memory_equal(a, prefix, 3);
	MAC_OF(b, 0, "-name", "two");
	assert_memory_not_equal(a, b, 6);
	MAC_OF(b, 1, "-name", "one", "-net", "nic", "-net", "nic");
	assert_memory_not_equal(a, b, 6);
	MAC_OF(b, 0, "-name", "one", "-net", "nic", "-net", "nic");
	assert_memory_equal(a, b, 6);
	MAC_OF(a, 0, "-append", "x");
	MAC_OF(b, 0, "-append", "x");
	assert_memory_equal(a, b, 6);
	MAC_OF(b, 0, "-append", "y");
	assert_memory_not_equal(a, b, 6);
}

/* Every option of the tables is on the reference page. */
static void page(void **state)
{
	struct run r;

	(void)state;
	PARSE(&r, "-help-markdown");
	assert_int_equal(r.rc, CMDLINE_DONE);
	assert_non_null(strstr(r.out, "\n| `-enable-kvm` "));
	assert_non_null(strstr(r.out, "\n### `-net nic`\n"));
	assert_non_null(strstr(r.out, "\n| `hostfwd=` "));
	assert_non_null(strstr(r.out, "\n| `info network` "));
	done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(net_nic_errors),  cmocka_unit_test(machine_errors),
		cmocka_unit_test(word_errors),	   cmocka_unit_test(slips),
		cmocka_unit_test(network_errors),  cmocka_unit_test(console_errors),
		cmocka_unit_test(lists),	   cmocka_unit_test(help_is_aligned),
		cmocka_unit_test(boot_options),	   cmocka_unit_test(what_the_guest_is_told),
		cmocka_unit_test(machine_options), cmocka_unit_test(default_network),
		cmocka_unit_test(default_card),	   cmocka_unit_test(networks),
		cmocka_unit_test(made_up_macs),	   cmocka_unit_test(page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
