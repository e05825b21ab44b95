/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Programs whose output the doctor reads: nft and iptables-legacy-save, which know better how their rules are written.
 */
#pragma once

#include "base/base.h"

/* @argv: NULL-terminated, found by PATH. Its output as text, returned, free(); NULL when it is not installed, fails or
 * takes too long. */
char *command_output(const char *const *argv);
