#include "vision/coco_classes.h"

#include <assert.h>

static const struct gm_coco_class classes[GM_COCO_CLASSES] = {
    {"person", "a person", "people"},
    {"bicycle", "a bicycle", "bicycles"},
    {"car", "a car", "cars"},
    {"motorcycle", "a motorcycle", "motorcycles"},
    {"airplane", "an airplane", "airplanes"},
    {"bus", "a bus", "buses"},
    {"train", "a train", "trains"},
    {"truck", "a truck", "trucks"},
    {"boat", "a boat", "boats"},
    {"traffic light", "a traffic light", "traffic lights"},
    {"fire hydrant", "a fire hydrant", "fire hydrants"},
    {"stop sign", "a stop sign", "stop signs"},
    {"parking meter", "a parking meter", "parking meters"},
    {"bench", "a bench", "benches"},
    {"bird", "a bird", "birds"},
    {"cat", "a cat", "cats"},
    {"dog", "a dog", "dogs"},
    {"horse", "a horse", "horses"},
    {"sheep", "a sheep", "sheep"},
    {"cow", "a cow", "cows"},
    {"elephant", "an elephant", "elephants"},
    {"bear", "a bear", "bears"},
    {"zebra", "a zebra", "zebras"},
    {"giraffe", "a giraffe", "giraffes"},
    {"backpack", "a backpack", "backpacks"},
    {"umbrella", "an umbrella", "umbrellas"},
    {"handbag", "a handbag", "handbags"},
    {"tie", "a tie", "ties"},
    {"suitcase", "a suitcase", "suitcases"},
    {"frisbee", "a frisbee", "frisbees"},
    {"skis", "a pair of skis", "pairs of skis"},
    {"snowboard", "a snowboard", "snowboards"},
    {"sports ball", "a sports ball", "sports balls"},
    {"kite", "a kite", "kites"},
    {"baseball bat", "a baseball bat", "baseball bats"},
    {"baseball glove", "a baseball glove", "baseball gloves"},
    {"skateboard", "a skateboard", "skateboards"},
    {"surfboard", "a surfboard", "surfboards"},
    {"tennis racket", "a tennis racket", "tennis rackets"},
    {"bottle", "a bottle", "bottles"},
    {"wine glass", "a wine glass", "wine glasses"},
    {"cup", "a cup", "cups"},
    {"fork", "a fork", "forks"},
    {"knife", "a knife", "knives"},
    {"spoon", "a spoon", "spoons"},
    {"bowl", "a bowl", "bowls"},
    {"banana", "a banana", "bananas"},
    {"apple", "an apple", "apples"},
    {"sandwich", "a sandwich", "sandwiches"},
    {"orange", "an orange", "oranges"},
    {"broccoli", "a piece of broccoli", "pieces of broccoli"},
    {"carrot", "a carrot", "carrots"},
    {"hot dog", "a hot dog", "hot dogs"},
    {"pizza", "a pizza", "pizzas"},
    {"donut", "a donut", "donuts"},
    {"cake", "a cake", "cakes"},
    {"chair", "a chair", "chairs"},
    {"couch", "a couch", "couches"},
    {"potted plant", "a potted plant", "potted plants"},
    {"bed", "a bed", "beds"},
    {"dining table", "a dining table", "dining tables"},
    {"toilet", "a toilet", "toilets"},
    {"tv", "a TV", "TVs"},
    {"laptop", "a laptop", "laptops"},
    {"mouse", "a computer mouse", "computer mice"},
    {"remote", "a remote control", "remote controls"},
    {"keyboard", "a keyboard", "keyboards"},
    {"cell phone", "a cell phone", "cell phones"},
    {"microwave", "a microwave", "microwaves"},
    {"oven", "an oven", "ovens"},
    {"toaster", "a toaster", "toasters"},
    {"sink", "a sink", "sinks"},
    {"refrigerator", "a refrigerator", "refrigerators"},
    {"book", "a book", "books"},
    {"clock", "a clock", "clocks"},
    {"vase", "a vase", "vases"},
    {"scissors", "a pair of scissors", "pairs of scissors"},
    {"teddy bear", "a teddy bear", "teddy bears"},
    {"hair drier", "a hair drier", "hair driers"},
    {"toothbrush", "a toothbrush", "toothbrushes"},
};

const struct gm_coco_class *gm_coco_class(size_t i)
{
    assert(i < GM_COCO_CLASSES);
    return &classes[i];
}

const struct gm_coco_class *gm_coco_find(struct gm_str label)
{
    for (size_t i = 0; i < GM_COCO_CLASSES; i++)
        if (gm_str_eq_c(label, classes[i].label))
            return &classes[i];
    return NULL;
}
