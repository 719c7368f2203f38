/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Options of qemu-kvm, of today or of years ago, that vmwire does not have: each is answered by
 * name, with what to do instead, and never taken for a slip of the pen.
 */
#ifndef CONTROL_ABSENT_H
#define CONTROL_ABSENT_H

/* What to say about option `name` (without dashes), behind "-name is not there: "; NULL: it is not
 * one of these. */
const char *absent_option(const char *name);

/* The same for what may stand behind -device; a '*' in the table stands for anything. */
const char *absent_device(const char *name);

/* For tests: the i-th name, NULL behind the last. */
const char *absent_name(unsigned i);

#endif
