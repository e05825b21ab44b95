/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `sluice lists report`: which lists are of use, and which are held by others. */
#pragma once

/* As a command: argv[0] is "report". */
int lists_report(int argc, char **argv);
