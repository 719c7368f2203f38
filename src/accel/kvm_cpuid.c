/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUID: all that KVM supports on this host, less nested virtualisation, plus what only the VMM
 * can know: which CPU this is and how many there are. Without other orders the topology is flat:
 * one package, one thread per core, one last-level cache for all; the APIC id is the CPU's number.
 *
 * Leaves are those of Intel SDM volume 2A (CPUID) and AMD APM volume 3 appendix E.
 */
#include "accel/kvm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/util.h"

#define ECX1_VMX	(1u << 5)
#define ECX1_X2APIC	(1u << 21)
#define ECX1_DEADLINE	(1u << 24)
#define ECX1_HYPERVISOR (1u << 31)
#define EDX1_HTT	(1u << 28)
#define ECX81_CMPLEGACY (1u << 1)
#define ECX81_SVM	(1u << 2)

struct kvm_cpuid2 *kvm_supported_cpuid(int dev, struct err *e)
{
	struct kvm_cpuid2 *c = malloc(sizeof(*c) + CPUID_ROOM * sizeof(c->entries[0]));

	if (!c) {
		err_set(e, ENOMEM, "no memory for CPUID");
		return NULL;
	}
	memset(c, 0, sizeof(*c));
	c->nent = CPUID_ROOM;
	if (ioctl(dev, KVM_GET_SUPPORTED_CPUID, c) < 0) {
		kvm_err(e, "cannot learn what the CPU supports");
		free(c);
		return NULL;
	}
	return c;
}

/* Bits that number n things: 0 for one. */
static unsigned id_bits(unsigned n)
{
	return n > 1 ? 32u - (unsigned)__builtin_clz(n - 1) : 0;
}

struct topology {
	unsigned package, thread;	    /* how many CPUs a package, a core has */
	unsigned package_bits, thread_bits; /* of the APIC id */
};

static struct topology topology(const struct kvm *k)
{
	const struct accel_conf *c = &k->a->conf;
	struct topology t = {.thread = c->threads ? c->threads : 1};

	t.package = c->cores ? c->cores * t.thread : c->vcpus;
	t.thread_bits = id_bits(t.thread);
	t.package_bits = id_bits(t.package);
	return t;
}

/* Leaves 4 and 8000001Dh: one cache each; the third level is a package's, others are a core's. */
static void cache_leaf(struct kvm_cpuid_entry2 *l, const struct topology *t, bool intel)
{
	unsigned level = l->eax >> 5 & 7, all = (1u << t->package_bits) - 1;

	if (!(l->eax & 0x1f))
		return;
	l->eax &= intel ? 0x3fff : ~0x03ffc000u;
	l->eax |= (level >= 3 ? all : (1u << t->thread_bits) - 1) << 14;
	if (intel)
		l->eax |= MIN(all >> t->thread_bits, 63u) << 26;
}

static void fixed_leaf(const struct kvm *k, struct kvm_cpuid_entry2 *l, unsigned id)
{
	const struct topology t = topology(k);

	switch (l->function) {
	case 1:
		l->ebx = (l->ebx & 0xffff) | MIN(1u << t.package_bits, 255u) << 16 | id << 24;
		l->ecx |= ECX1_HYPERVISOR | ECX1_X2APIC | (k->tsc_deadline ? ECX1_DEADLINE : 0);
		l->ecx &= ~ECX1_VMX;
		l->edx = t.package > 1 ? l->edx | EDX1_HTT : l->edx & ~EDX1_HTT;
		break;
	case 4:
		cache_leaf(l, &t, true);
		break;
	case 0x80000001:
		l->ecx &= ~(ECX81_SVM | ECX81_CMPLEGACY);
		l->ecx |= t.package > 1 ? ECX81_CMPLEGACY : 0;
		break;
	case 0x80000008:
		l->ecx = (l->ecx & ~0xf0ffu) | (t.package - 1) | t.package_bits << 12;
		break;
	case 0x8000001d:
		cache_leaf(l, &t, false);
		break;
	case 0x8000001e:
		l->eax = id;
		l->ebx = (id >> t.thread_bits & 0xff) | (t.thread - 1) << 8; /* core, its threads */
		l->ecx = 0;						     /* node 0 of 1 */
		break;
	default:
		break;
	}
}

/* Leaf 0Bh: level 0 is the thread, level 1 the core, level 2 ends the list. */
static void topology_leaves(struct kvm_cpuid2 *out, const struct topology *t, unsigned id)
{
	const struct {
		unsigned type, bits, n;
	} level[] = {{1, t->thread_bits, t->thread}, {2, t->package_bits, t->package}, {0, 0, 0}};

	for (unsigned i = 0; i < ARRAY_SIZE(level) && out->nent < CPUID_ROOM; i++) {
		out->entries[out->nent++] = (struct kvm_cpuid_entry2){
			.function = 0xb,
			.index = i,
			.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
			.eax = level[i].bits,
			.ebx = level[i].n,
			.ecx = i | level[i].type << 8,
			.edx = id,
		};
	}
}

int kvm_cpuid_set(struct kvm *k, struct kvm_cpu *c, struct err *e)
{
	const struct topology t = topology(k);
	struct kvm_cpuid2 *out;
	unsigned max = 0;
	int rc = 0;

	if (!k->cpuid)
		k->cpuid = kvm_supported_cpuid(k->dev, e);
	if (!k->cpuid)
		return -EIO;
	out = malloc(sizeof(*out) + CPUID_ROOM * sizeof(out->entries[0]));
	if (!out)
		return err_set(e, ENOMEM, "no memory for CPUID");
	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < k->cpuid->nent; i++) {
		struct kvm_cpuid_entry2 l = k->cpuid->entries[i];

		if (l.function == 0)
			max = l.eax;
		/* Topology by other leaves (replaced below), and nested virtualisation. */
		if (l.function == 0xb || l.function == 0x1f || l.function == 0x80000026 ||
		    l.function == 0x8000000a)
			continue;
		fixed_leaf(k, &l, c->id);
		out->entries[out->nent++] = l;
	}
	if (max >= 0xb)
		topology_leaves(out, &t, c->id);
	if (ioctl(c->fd, KVM_SET_CPUID2, out) < 0)
		rc = kvm_err(e, "cannot set CPUID");
	free(out);
	return rc;
}
