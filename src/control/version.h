/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONTROL_VERSION_H
#define CONTROL_VERSION_H

#define VMWIRE_VERSION "0.1.0"

#endif
