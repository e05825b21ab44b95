/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The thread that keeps the root's trust anchor by RFC 5011: asks for the root's keys when it is time, and lets
 * libunbound write what follows from them. */
#pragma once

#include "dnsd/mailbox.h"

struct keeper;

/* @file: roots_kept_file(), copied. @config_lock: see recursor.h. @to_main: gets MAIL_ANCHOR after each look at the
 * keys; all but @file must outlive the process's last thread. The keeper itself is never freed. */
int keeper_start(const char *file, pthread_mutex_t *config_lock, struct mailbox *to_main, struct keeper **ret,
		 struct err *e);
/* Views that are in force from now on: by their first route that is validated, the keys are asked for; by none, when
 * there is none. @s: a reference is taken. */
void keeper_views(struct keeper *k, struct snapshot *s);
