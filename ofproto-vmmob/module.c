/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/module.h"

#include "hash.h"
#include "ofproto/ofproto-dpif.h"
#include "ofproto-vmmob/agent.h"
#include "ofproto-vmmob/bridge.h"
#include "ofproto-vmmob/bridge-gone.h"
#include "ofproto-vmmob/handover.h"
#include "util.h"
#include "uuid.h"

struct ovs_mutex vmmob_mutex = OVS_MUTEX_INITIALIZER;
static struct vmmob *module OVS_GUARDED_BY(vmmob_mutex);

/* Returns the module's state, or NULL if no bridge was configured yet. */
struct vmmob *
vmmob_get(void)
{
    return module;
}

/* Creates and returns the module's state, with nothing known yet. */
struct vmmob *
vmmob_create(void)
{
    module = xzalloc(sizeof *module);
    hmap_init(&module->bridges);
    shash_init(&module->gone);
    module->handover = vmmob_handover_create();
    module->table = vmmob_handover_get_table(module->handover);
    module->agent = vmmob_agent_create();
    vmmob_resolver_init(&module->resolver, RESOLVER_MAX,
                        RESOLVER_MAX_OF_SOURCE);
    ovs_list_init(&module->resumed);
    vmmob_tail_init(&module->copies);
    vmmob_moves_init(&module->moves);
    vmmob_refreshes_init(&module->refreshes);
    return module;
}

/* Destroys the module's state.  There must be no bridge and no
 * packet left. */
void
vmmob_destroy(void)
{
    hmap_destroy(&module->bridges);
    vmmob_bridge_gone_destroy(&module->gone);
    vmmob_agent_destroy(module->agent);
    vmmob_handover_destroy(module->handover);
    vmmob_resolver_destroy(&module->resolver);
    vmmob_tail_destroy(&module->copies);
    vmmob_moves_log(&module->moves, LLONG_MAX);
    vmmob_moves_destroy(&module->moves);
    vmmob_refreshes_destroy(&module->refreshes);
    free(module);
    module = NULL;
}

/* Returns the bridge with the given 'name', or NULL. */
struct vmmob_bridge *
vmmob_find_bridge(const struct vmmob *vmmob, const char *name)
{
    struct vmmob_bridge *b;

    HMAP_FOR_EACH_WITH_HASH (b, node, hash_string(name, 0),
                             &vmmob->bridges) {
        if (!strcmp(b->name, name)) {
            return b;
        }
    }
    return NULL;
}

/* Returns the bridge that is the OFS 'id', or NULL. */
struct vmmob_bridge *
vmmob_find_bridge_by_id(const struct vmmob *vmmob, uint64_t id)
{
    struct vmmob_bridge *b;

    HMAP_FOR_EACH (b, node, &vmmob->bridges) {
        if (b->enabled && b->id == id) {
            return b;
        }
    }
    return NULL;
}

/* Returns the bridge of the ofproto with UUID 'ofproto' if VM mobility is on
 * there, otherwise NULL. */
struct vmmob_bridge *
vmmob_find_bridge_by_uuid(const struct vmmob *vmmob,
                          const struct uuid *ofproto)
{
    struct vmmob_bridge *b;

    HMAP_FOR_EACH (b, node, &vmmob->bridges) {
        if (b->enabled && uuid_equals(&b->ofproto->uuid, ofproto)) {
            return b;
        }
    }
    return NULL;
}
