/* SPDX-License-Identifier: BSD-2-Clause */
/* The entries of the accelerator table; close() copes with an open() that failed half-way. */
#ifndef ACCEL_OPS_H
#define ACCEL_OPS_H

#include "accel/accel.h"

extern const struct accel_ops accel_kvm, accel_qtest;

#endif
