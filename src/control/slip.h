/* SPDX-License-Identifier: BSD-2-Clause */
/* Slips of the pen in network options, answered with the corrected option (V4). */
#ifndef CONTROL_SLIP_H
#define CONTROL_SLIP_H

#include "base/err.h"
#include "base/opt.h"

#define SLIP_BLANK 1u  /* a blank splits the option: the rest stands in the next word */
#define SLIP_KIND  2u  /* nothing says what it is: nic, tap … */
#define SLIP_SLOT0 4u  /* addr= names the host bridge's slot */
#define SLIP_NAME  8u  /* a sub-option is misspelt */
#define SLIP_VALUE 16u /* a sub-option lacks its value */

/*
 * Fills e with one line: what is wrong with "option kind,text", and the option as it should be.
 * kind NULL: guessed from the sub-options. tail: the next word of the command line, NULL: none.
 * slips: those that the caller has seen; the others are looked for. Returns -EINVAL.
 */
int slip(const char *option, const char *kind, const char *text, const char *tail, unsigned slips,
	 struct err *e);

/*
 * After text, the sub-options of what, was found wrong as e says: if names in it are misspelt, or
 * lack their value, e says that instead, with the option as it should be. Returns -e->code.
 */
int slip_name(const struct opt_table *t, const char *what, const char *text, struct err *e);

#endif
