/* The entities of one post: cc embed.c -o embed $(pkg-config --cflags --libs gmner)
 * ./embed 'Grace Hopper at the Navy Yard' grace.jpg */
#include <gmner/gmner.h>
#include <stdio.h>

static void show(const struct gmner_result *result)
{
    const struct gmner_answer *post = gmner_result_post(result, 0);
    const struct gmner_entity *e;
    const struct gmner_region *r;
    if (post->error_stage[0])
        fprintf(stderr, "%s: %s\n", post->error_stage, post->error_message);
    for (size_t i = 0; (e = gmner_result_entity(result, 0, i)); i++) {
        printf("%s\t%s\t%.2f", e->text, e->type, e->score);
        for (size_t k = 0; (r = gmner_result_region(result, 0, i, k)); k++)
            printf("\t%.0f,%.0f,%.0f,%.0f%s", r->box[0], r->box[1], r->box[2], r->box[3],
                   r->mask_h ? " with a mask" : "");
        printf("\n");
    }
}

int main(int argc, char **argv)
{
    struct gmner_model *model = NULL;
    struct gmner_session *session = NULL;
    struct gmner_result *result = NULL;
    struct gmner_error error;
    struct gmner_post post = {.struct_size = sizeof post};
    post.text = argc > 1 ? argv[1] : "Grace Hopper at the Navy Yard";
    post.image = argc > 2 ? argv[2] : NULL;
    int failed = gmner_open(NULL, &model, &error) || gmner_session_new(model, &session, &error) ||
                 gmner_predict(session, &post, 1, &result, &error);
    if (failed)
        fprintf(stderr, "%s\n", error.message);
    else
        show(result);
    gmner_result_free(result);
    gmner_session_free(session);
    gmner_close(model);
    return failed;
}
