#!/bin/sh
# A driver in plain shell: eutectic driver host --folder balance -- sh examples/drivers/balance.sh
# Each line is one JSON object whose first field is the id: {"id":1,"do":"describe"}
while read -r line; do
    id=${line#*\"id\":}; id=${id%%,*}
    case $line in
    *'"do":"describe"'*)
        echo "{\"id\":$id,\"result\":{\"id\":\"balance\",\"name\":\"Balance\",\"capabilities\":[{\"id\":\"balance.weigh\",\"effect\":\"repeatable\",\"outputs\":[{\"id\":\"mass\",\"kind\":\"quantity\",\"unit\":\"g\",\"min\":0,\"max\":200,\"uncertain\":true}]}]}}" ;;
    *'"do":"run"'*) # here you would read the balance
        echo "{\"id\":$id,\"result\":{\"outputs\":{\"mass\":{\"value\":12.5,\"sd\":0.0001}},\"sample\":\"none\"}}" ;;
    *) echo "{\"id\":$id,\"result\":{}}" ;;
    esac
done
