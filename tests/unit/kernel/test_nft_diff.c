/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Differences applied to a model of the kernel's table give the wanted program, and each step is one that the kernel
 * would take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"
#include "gatewayd/nft_diff.h"

#define MODEL_MAX 64

/* A table: sets with their elements, chains with or without their rules. */
struct model {
	struct {
		const struct nft_set *set;
		const struct nft_elem *elems[MODEL_MAX];
		uint32_t n;
	} sets[MODEL_MAX];
	struct {
		const struct nft_chain *chain;
		bool filled;
	} chains[MODEL_MAX];
	const struct nft_object *objects[MODEL_MAX];
	uint32_t n_sets, n_chains, n_objects;
};

static uint32_t set_index(const struct model *m, const char *name)
{
	for (uint32_t i = 0; i < m->n_sets; i++) {
		if (strcmp(m->sets[i].set->name, name) == 0)
			return i;
	}
	return UINT32_MAX;
}

static uint32_t chain_index(const struct model *m, const char *name)
{
	for (uint32_t i = 0; i < m->n_chains; i++) {
		if (strcmp(m->chains[i].chain->name, name) == 0)
			return i;
	}
	return UINT32_MAX;
}

static uint32_t object_index(const struct model *m, const char *name)
{
	for (uint32_t i = 0; i < m->n_objects; i++) {
		if (strcmp(m->objects[i]->name, name) == 0)
			return i;
	}
	return UINT32_MAX;
}

static void model_del_elem(struct model *m, uint32_t s, const struct nft_elem *elem)
{
	for (uint32_t i = 0; i < m->sets[s].n; i++) {
		if (memcmp(&m->sets[s].elems[i]->lo, &elem->lo, sizeof(elem->lo)) == 0 &&
		    memcmp(&m->sets[s].elems[i]->hi, &elem->hi, sizeof(elem->hi)) == 0) {
			m->sets[s].elems[i] = m->sets[s].elems[--m->sets[s].n];
			return;
		}
	}
	fail_msg("an element is deleted that is not there");
}

static void model_put_elem(struct model *m, uint32_t s, const struct nft_elem *elem)
{
	for (uint32_t i = 0; i < m->sets[s].n; i++)
		assert_int_not_equal(memcmp(&m->sets[s].elems[i]->lo, &elem->lo, sizeof(elem->lo)), 0);
	if (elem->chain != NULL)
		assert_int_not_equal(chain_index(m, elem->chain), UINT32_MAX);
	assert_true(m->sets[s].n < MODEL_MAX);
	m->sets[s].elems[m->sets[s].n++] = elem;
}

/* What the rules of a chain refer to must be there. */
static void model_check_rules(const struct model *m, const struct nft_chain *chain)
{
	for (uint32_t i = 0; i < chain->n_rules; i++) {
		for (uint32_t k = 0; k < chain->rules[i].n_stmts; k++) {
			const struct nft_stmt *s = &chain->rules[i].stmts[k];

			if (s->set != NULL)
				assert_int_not_equal(set_index(m, s->set), UINT32_MAX);
			if (s->chain != NULL)
				assert_int_not_equal(chain_index(m, s->chain), UINT32_MAX);
			if (s->object != NULL)
				assert_int_not_equal(object_index(m, s->object), UINT32_MAX);
		}
	}
}

/* Nothing that stays may refer to a chain, set or object that goes. */
static void model_check_unused(const struct model *m, const char *set, const char *chain, const char *object)
{
	for (uint32_t i = 0; i < m->n_chains; i++) {
		const struct nft_chain *c = m->chains[i].chain;

		for (uint32_t r = 0; m->chains[i].filled && r < c->n_rules; r++) {
			for (uint32_t k = 0; k < c->rules[r].n_stmts; k++) {
				const struct nft_stmt *s = &c->rules[r].stmts[k];

				assert_false(set != NULL && s->set != NULL && strcmp(s->set, set) == 0);
				assert_false(chain != NULL && s->chain != NULL && strcmp(s->chain, chain) == 0);
				assert_false(object != NULL && s->object != NULL && strcmp(s->object, object) == 0);
			}
		}
	}
	for (uint32_t i = 0; chain != NULL && i < m->n_sets; i++) {
		for (uint32_t k = 0; k < m->sets[i].n; k++)
			assert_false(m->sets[i].elems[k]->chain != NULL &&
				     strcmp(m->sets[i].elems[k]->chain, chain) == 0);
	}
}

/* cmocka's failures do not return, which a static analyser does not know. */
static const struct nft_chain *chain_of(const struct nft_op *op)
{
	if (op->chain == NULL)
		abort();
	return op->chain;
}

static const struct nft_set *set_of(const struct nft_op *op)
{
	if (op->set == NULL)
		abort();
	return op->set;
}

static void model_object(struct model *m, const struct nft_op *op)
{
	uint32_t o;

	if (op->object == NULL)
		abort();
	o = object_index(m, op->object->name);
	if (op->kind == NFT_OP_PUT_OBJECT) {
		assert_int_equal(o, UINT32_MAX);
		m->objects[m->n_objects++] = op->object;
		return;
	}
	assert_int_not_equal(o, UINT32_MAX);
	model_check_unused(m, NULL, NULL, op->object->name);
	m->objects[o] = m->objects[--m->n_objects];
}

static void model_op(struct model *m, const struct nft_op *op)
{
	uint32_t s = op->set != NULL ? set_index(m, op->set->name) : UINT32_MAX;
	uint32_t c = op->chain != NULL ? chain_index(m, op->chain->name) : UINT32_MAX;

	assert_true((op->kind == NFT_OP_PUT_SET && s == UINT32_MAX) || op->set == NULL ||
		    (op->kind != NFT_OP_PUT_SET && s != UINT32_MAX));
	assert_true((op->kind == NFT_OP_PUT_CHAIN && c == UINT32_MAX) || op->chain == NULL ||
		    (op->kind != NFT_OP_PUT_CHAIN && c != UINT32_MAX));
	switch (op->kind) {
	case NFT_OP_FLUSH_CHAIN:
		m->chains[c].filled = false;
		return;
	case NFT_OP_DEL_ELEMS:
		for (uint32_t i = 0; i < op->n_elems; i++)
			model_del_elem(m, s, op->elems[i]);
		return;
	case NFT_OP_PUT_OBJECT:
	case NFT_OP_DEL_OBJECT:
		model_object(m, op);
		return;
	case NFT_OP_PUT_SET:
		m->sets[m->n_sets].n = 0;
		m->sets[m->n_sets++].set = op->set;
		return;
	case NFT_OP_PUT_CHAIN:
		m->chains[m->n_chains].filled = false;
		m->chains[m->n_chains++].chain = op->chain;
		return;
	case NFT_OP_PUT_ELEMS:
		for (uint32_t i = 0; i < op->n_elems; i++)
			model_put_elem(m, s, op->elems[i]);
		return;
	case NFT_OP_PUT_RULES:
		assert_false(m->chains[c].filled);
		model_check_rules(m, chain_of(op));
		m->chains[c].chain = op->chain;
		m->chains[c].filled = true;
		return;
	case NFT_OP_DEL_CHAIN:
		assert_false(m->chains[c].filled);
		model_check_unused(m, NULL, chain_of(op)->name, NULL);
		m->chains[c] = m->chains[--m->n_chains];
		return;
	case NFT_OP_DEL_SET:
		model_check_unused(m, set_of(op)->name, NULL, NULL);
		m->sets[s] = m->sets[--m->n_sets];
		return;
	case NFT_OP_MAX:
		break;
	}
	fail();
}

static struct nft_diff diff_of(struct fixture *f, const struct nft_prog *from, const struct nft_prog *to)
{
	struct nft_diff d;

	assert_int_equal(nft_diff(from, to, f->mem, &d, NULL), 0);
	return d;
}

static void model_apply(struct model *m, const struct nft_diff *d)
{
	for (uint32_t i = 0; i < d->n_ops; i++)
		model_op(m, &d->ops[i]);
}

static void assert_model_is(const struct model *m, const struct nft_prog *p)
{
	assert_int_equal(m->n_sets, p->n_sets);
	assert_int_equal(m->n_chains, p->n_chains);
	assert_int_equal(m->n_objects, p->n_objects);
	for (uint32_t i = 0; i < p->n_objects; i++)
		assert_int_not_equal(object_index(m, p->objects[i].name), UINT32_MAX);
	for (uint32_t i = 0; i < p->n_sets; i++) {
		uint32_t s = set_index(m, p->sets[i].name);

		assert_int_not_equal(s, UINT32_MAX);
		assert_int_equal(m->sets[s].n, p->sets[i].n_elems);
		for (uint32_t k = 0; k < p->sets[i].n_elems; k++) {
			uint32_t j = 0;

			while (j < m->sets[s].n &&
			       memcmp(&m->sets[s].elems[j]->lo, &p->sets[i].elems[k].lo, sizeof(struct nft_key)) != 0)
				j++;
			if (j == m->sets[s].n || m->sets[s].elems[j] == NULL)
				abort();
			assert_int_equal(m->sets[s].elems[j]->verdict, p->sets[i].elems[k].verdict);
		}
	}
	for (uint32_t i = 0; i < p->n_chains; i++) {
		uint32_t c = chain_index(m, p->chains[i].name);

		if (c == UINT32_MAX || m->chains[c].chain == NULL)
			abort();
		assert_int_equal(m->chains[c].chain->n_rules, p->chains[i].n_rules);
	}
}

static int setup(void **state)
{
	*state = fixture_new();
	return 0;
}

static int teardown(void **state)
{
	*state = fixture_free(*state);
	return 0;
}

static void equal_programs_give_nothing(void **state)
{
	struct fixture *f = *state, *again = fixture_new();
	struct nft_diff d = diff_of(f, &f->prog, &again->prog);

	assert_false(d.replace);
	assert_int_equal(d.n_ops, 0);
	(void)fixture_free(again);
}

static void from_nothing_gives_everything(void **state)
{
	struct fixture *f = *state;
	struct nft_diff d = diff_of(f, NULL, &f->prog);
	struct model m = { 0 };

	model_apply(&m, &d);
	assert_model_is(&m, &f->prog);
}

static void to_nothing_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct nft_prog nothing = { 0 };
	struct nft_diff d = diff_of(f, NULL, &f->prog);
	struct model m = { 0 };

	model_apply(&m, &d);
	d = diff_of(f, &f->prog, &nothing);
	model_apply(&m, &d);
	assert_model_is(&m, &nothing);
}

/* A rule and its chain go, with the box that led to it; a device comes; a rule with names goes, with its sets. */
static struct nft_prog changed_prog(struct fixture *f)
{
	struct nft_prog p = f->prog;
	struct nft_set *sets = fixture_sets(f, &p), *src = fixture_set(&p, sets, "src4");
	struct nft_chain *chains = fixture_chains(f, &p), *class = &chains[3];
	struct nft_elem *more = arena_array(f->mem, 3, sizeof(*more));
	struct nft_rule *rules = arena_array(f->mem, 3, sizeof(*rules));

	assert_non_null(more);
	assert_non_null(rules);
	memcpy(more, src->elems, 2 * sizeof(*more));
	more[2] = more[1];
	more[2].lo = more[2].hi = key4("100.64.0.3", 0, 0);
	src->elems = more;
	src->n_elems = 3;
	fixture_set(&p, sets, "c0_4")->n_elems = 1;
	/* The rules for names are the third and fourth of class_0. */
	assert_string_equal(class->name, "class_0");
	rules[0] = class->rules[0];
	rules[1] = class->rules[1];
	rules[2] = class->rules[4];
	class->rules = rules;
	class->n_rules = 3;
	memmove(&chains[1], &chains[3], (p.n_chains - 3) * sizeof(*chains)); /* r_22 and r_33 are gone */
	p.n_chains -= 2;
	assert_string_equal(sets[3].name, "l4_00000022");
	memmove(&sets[3], &sets[5], (p.n_sets - 5) * sizeof(*sets)); /* it, and the one for IPv6 */
	p.n_sets -= 2;
	assert_string_equal(p.objects[3].name, "r_22");
	p.n_objects--;
	return p;
}

static void a_change_there_and_back_is_what_was_wanted(void **state)
{
	struct fixture *f = *state;
	struct nft_prog changed = changed_prog(f);
	struct nft_diff d = diff_of(f, NULL, &f->prog);
	struct model m = { 0 };

	model_apply(&m, &d);
	d = diff_of(f, &f->prog, &changed);
	assert_false(d.replace);
	model_apply(&m, &d);
	assert_model_is(&m, &changed);
	d = diff_of(f, &changed, &f->prog);
	model_apply(&m, &d);
	assert_model_is(&m, &f->prog);
}

static void what_stays_is_not_touched(void **state)
{
	struct fixture *f = *state;
	struct nft_prog changed = changed_prog(f);
	struct nft_diff d = diff_of(f, &f->prog, &changed);

	for (uint32_t i = 0; i < d.n_ops; i++) {
		if (d.ops[i].chain != NULL)
			assert_string_not_equal(d.ops[i].chain->name, "r_11");
		if (d.ops[i].set != NULL)
			assert_string_not_equal(d.ops[i].set->name, "src6");
		if (d.ops[i].object != NULL)
			assert_string_equal(d.ops[i].object->name, "r_22");
		if (d.ops[i].kind == NFT_OP_PUT_ELEMS)
			assert_int_equal(d.ops[i].n_elems, 1);
	}
}

static void another_verdict_for_a_key_is_a_change(void **state)
{
	struct fixture *f = *state;
	struct nft_prog p = f->prog;
	struct nft_set *box = fixture_set(&p, fixture_sets(f, &p), "c0_4");
	struct nft_elem elems[2] = { box->elems[0], box->elems[1] };
	struct nft_diff d;

	elems[0].chain = "r_22";
	box->elems = elems;
	d = diff_of(f, &f->prog, &p);
	assert_int_equal(d.n_ops, 2);
	assert_int_equal(d.ops[0].kind, NFT_OP_DEL_ELEMS);
	assert_int_equal(d.ops[1].kind, NFT_OP_PUT_ELEMS);
}

static void another_policy_position_is_no_change(void **state)
{
	struct fixture *f = *state;
	struct nft_prog p = f->prog;
	struct nft_set *box = fixture_set(&p, fixture_sets(f, &p), "c0_4");
	struct nft_elem elems[2] = { box->elems[0], box->elems[1] };

	elems[0].pos = "/grants/7";
	box->elems = elems;
	assert_int_equal(diff_of(f, &f->prog, &p).n_ops, 0);
}

static void a_rule_that_counts_elsewhere_is_a_change(void **state)
{
	struct fixture *f = *state;
	struct nft_prog p = f->prog;
	struct nft_chain *chains = fixture_chains(f, &p);
	struct nft_stmt stmts[3];
	struct nft_rule rule = chains[0].rules[0];
	struct nft_diff d;

	memcpy(stmts, rule.stmts, sizeof(stmts));
	stmts[0].object = "r_22";
	rule.stmts = stmts;
	chains[0].rules = &rule;
	d = diff_of(f, &f->prog, &p);
	assert_int_equal(d.n_ops, 2);
	assert_int_equal(d.ops[0].kind, NFT_OP_FLUSH_CHAIN);
	assert_int_equal(d.ops[1].kind, NFT_OP_PUT_RULES);
}

static void a_limit_with_another_rate_means_replace(void **state)
{
	struct fixture *f = *state;
	struct nft_prog p = f->prog;
	struct nft_object objects[4];

	memcpy(objects, p.objects, sizeof(objects));
	objects[1].per_s++;
	p.objects = objects;
	assert_true(diff_of(f, &f->prog, &p).replace);
}

static void a_set_or_chain_of_another_kind_means_replace(void **state)
{
	struct fixture *f = *state;
	struct nft_prog set_changed = f->prog, chain_changed = f->prog;

	fixture_set(&set_changed, fixture_sets(f, &set_changed), "nets4")->interval = false;
	assert_true(diff_of(f, &f->prog, &set_changed).replace);
	fixture_chains(f, &chain_changed)[8].priority = 0;
	assert_true(diff_of(f, &f->prog, &chain_changed).replace);
}

int main(void)
{
#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_FIXTURE(equal_programs_give_nothing),
		WITH_FIXTURE(from_nothing_gives_everything),
		WITH_FIXTURE(to_nothing_leaves_nothing),
		WITH_FIXTURE(a_change_there_and_back_is_what_was_wanted),
		WITH_FIXTURE(what_stays_is_not_touched),
		WITH_FIXTURE(another_verdict_for_a_key_is_a_change),
		WITH_FIXTURE(another_policy_position_is_no_change),
		WITH_FIXTURE(a_rule_that_counts_elsewhere_is_a_change),
		WITH_FIXTURE(a_limit_with_another_rate_means_replace),
		WITH_FIXTURE(a_set_or_chain_of_another_kind_means_replace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
