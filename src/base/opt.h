/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Option tables: one const table per device or backend says everything there is to know about
 * its sub-options. The command line, QMP, --help and the manual page are made from it; nothing
 * about an option is written anywhere else. A table fills a plain C struct.
 */
#ifndef BASE_OPT_H
#define BASE_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

enum opt_type {
	OPT_STR,    /* char *: owned, freed by opt_free() */
	OPT_BOOL,   /* bool: on|off (also yes|no, true|false); a bare name means on */
	OPT_U32,    /* uint32_t in [min, max], decimal or 0x… */
	OPT_SIZE,   /* uint64_t bytes in [min, max]; suffix k M G T; `unit` scales a bare number */
	OPT_ENUM,   /* int: index into `names`, NULL-terminated */
	OPT_MAC,    /* struct opt_mac */
	OPT_IP4,    /* struct in_addr, network order */
	OPT_IP4NET, /* struct opt_ip4net: addr[/prefix] */
	OPT_ADDR4,  /* struct sockaddr_in: a.b.c.d[:port] */
	OPT_LIST,   /* struct opt_list: strings; may be given more than once, in order */
	OPT_CUSTOM, /* parse() */
};

struct opt_mac {
	bool set;
	uint8_t b[6];
};

struct opt_ip4net {
	uint32_t addr; /* network order, as given */
	uint8_t prefix;
	bool set;
};

struct opt_list {
	char **v; /* owned */
	unsigned n;
};

struct opt {
	const char *name;
	enum opt_type type;
	size_t off; /* offsetof in the table's struct */
	uint64_t min, max, unit;
	const char *const *names; /* OPT_ENUM */
	const char *arg;	  /* what stands behind "=" in help, e.g. "mac" */
	const char *help;	  /* one line; says the default */
	/* Not NULL: known to qemu-kvm's users but not there yet; naming it is an error with this
	 * text. */
	const char *missing;
	/* OPT_CUSTOM: parses value into the struct `out`; fills e with what is allowed. */
	int (*parse)(const char *value, void *out, struct err *e);
	void (*release)(void *out); /* OPT_CUSTOM: frees what parse() made; may be NULL */
};

struct opt_table {
	const char *name;	/* as typed: "user", "virtio-net-pci", "-m" */
	const char *summary;	/* one line */
	const char *implied;	/* option that a first value without "name=" sets; NULL: none */
	const struct opt *opts; /* ends with .name = NULL */
	size_t size;		/* of the struct */
	void (*defaults)(void *out); /* fills defaults into the zeroed struct; may be NULL */
};

/*
 * Parses "a=b,c=d,e" (a doubled comma is a comma) into *out, which is zeroed and given its
 * defaults first. what names the thing for messages, as the user typed it: "-net nic". Errors
 * name the option, the value and what is allowed; a near-miss in a name suggests the right one.
 * Returns 0 or -errno; on error *out holds nothing that needs opt_free().
 */
int opt_parse(const struct opt_table *t, const char *what, const char *text, void *out,
	      struct err *e);

/* Sets one option of an initialised struct (used by QMP and the monitor). */
int opt_set(const struct opt_table *t, const char *what, const char *name, const char *value,
	    void *out, struct err *e);

/* Zeroes *out and fills in the defaults. */
void opt_init(const struct opt_table *t, void *out);

/* Frees the owned members and zeroes *out. Idempotent. */
void opt_free(const struct opt_table *t, void *out);

/* What stands behind the option's '=' in help: its own word, or its type's; the names of an
 * OPT_ENUM are joined by `sep` in buf. */
const char *opt_arg_text(const struct opt *o, const char *sep, char *buf, size_t size);

/* Prints the table's options, aligned, one per line: "  name=arg   help". */
void opt_help(const struct opt_table *t, FILE *f);

/*
 * The closest of names (NULL-terminated) to `wrong` if it is close enough to be a slip of the
 * pen (one or two edits), else NULL.
 */
const char *opt_suggest(const char *wrong, const char *const *names);

/* Parsers for single values, used by the tables and by whoever has just one. what: see above. */
int opt_parse_size(const char *what, const char *value, uint64_t unit, uint64_t min, uint64_t max,
		   uint64_t *out, struct err *e);
int opt_parse_u32(const char *what, const char *value, uint32_t min, uint32_t max, uint32_t *out,
		  struct err *e);
int opt_parse_mac(const char *what, const char *value, uint8_t mac[6], struct err *e);

#endif
