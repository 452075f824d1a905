//! The modules of a crate and what they name, read from its source files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path as FilePath;

use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, Path, UseTree};

/// A module's path in the crate, without `crate`; empty for the crate itself.
pub type Module = Vec<String>;

/// The modules that each module names.
pub type Graph = BTreeMap<Module, BTreeSet<Module>>;

/// The names of the crate's top modules, sorted.
pub fn layers_of(src: &FilePath) -> Vec<String> {
    let file = parsed(&src.join("lib.rs"));
    let name = |item: &Item| match item {
        Item::Mod(item) => Some(item.ident.to_string()),
        _ => None,
    };
    let mut names: Vec<String> = file.items.iter().filter_map(name).collect();
    names.sort();
    names
}

/// What each module of a crate names, outside of its tests. `main.rs` is a crate of its own.
pub fn graph(src: &FilePath) -> Graph {
    let files: Vec<(Module, syn::File)> = super::files(src)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs") && *path != src.join("main.rs"))
        .map(|path| (module_of(path.strip_prefix(src).unwrap()), parsed(&path)))
        .collect();
    let modules: BTreeSet<Module> = files.iter().map(|(module, _)| module.clone()).collect();
    let named = |(module, file): &(Module, syn::File)| {
        let mut names = Names { module, modules: &modules, named: BTreeSet::new() };
        names.visit_file(file);
        names.named.remove(module);
        (module.clone(), names.named)
    };
    files.iter().map(named).collect()
}

fn parsed(path: &FilePath) -> syn::File {
    let text = fs::read_to_string(path).unwrap();
    syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn module_of(file: &FilePath) -> Module {
    let path = file.with_extension("");
    let mut module: Module = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    module.pop_if(|last| last == "mod" || last == "lib");
    module
}

/// Collects the modules that a file names.
struct Names<'a> {
    module: &'a Module,
    modules: &'a BTreeSet<Module>,
    named: BTreeSet<Module>,
}

impl Names<'_> {
    fn add(&mut self, path: &[String]) {
        let child = |name: &String| [&self.module[..], std::slice::from_ref(name)].concat();
        let supers = path.iter().take_while(|name| *name == "super").count();
        let absolute = match path.first().map(String::as_str) {
            Some("crate") => path[1..].to_vec(),
            Some("self") => [&self.module[..], &path[1..]].concat(),
            Some("super") => {
                // In an inline module, `super` is the file's own module.
                let Some(depth) = self.module.len().checked_sub(supers) else { return };
                [&self.module[..depth], &path[supers..]].concat()
            }
            Some(_) if self.modules.contains(&child(&path[0])) => [&self.module[..], path].concat(),
            _ => return,
        };
        let longest = (0..=absolute.len()).rev().map(|n| absolute[..n].to_vec());
        self.named.extend(longest.into_iter().find(|path| self.modules.contains(path)));
    }

    fn add_tree(&mut self, prefix: &mut Vec<String>, tree: &UseTree) {
        match tree {
            UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.add_tree(prefix, &path.tree);
                prefix.pop();
            }
            UseTree::Name(name) => self.add(&[&prefix[..], &[name.ident.to_string()]].concat()),
            UseTree::Rename(name) => self.add(&[&prefix[..], &[name.ident.to_string()]].concat()),
            UseTree::Glob(_) => self.add(prefix),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_tree(prefix, tree)),
        }
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    let test = |attribute: &Attribute| {
        attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Ident>().is_ok_and(|name| name == "test")
    };
    attributes.iter().any(test)
}

impl<'ast> Visit<'ast> for Names<'_> {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.add_tree(&mut Vec::new(), &item.tree);
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        // A single segment is a local name.
        if segments.len() > 1 {
            self.add(&segments);
        }
        visit::visit_path(self, path);
    }
}

/// The circles among modules, apart from those of a module with its own submodules; each sorted, in order.
pub fn circles(graph: &Graph) -> Vec<Vec<String>> {
    let related = |a: &Module, b: &Module| a.starts_with(b) || b.starts_with(a);
    let reachable = |from: &Module| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from.clone()]);
        while let Some(module) = open.pop() {
            for next in graph.get(&module).into_iter().flatten().filter(|next| !related(&module, next)) {
                if seen.insert(next.clone()) {
                    open.push(next.clone());
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&Module, BTreeSet<Module>> = graph.keys().map(|module| (module, reachable(module))).collect();
    let mut circles = BTreeSet::new();
    for (module, targets) in &reached {
        let back = |target: &&Module| reached.get(target).is_some_and(|of| of.contains(*module));
        let circle: BTreeSet<String> = targets.iter().filter(back).map(|module| module.join("::")).collect();
        if circle.len() > 1 {
            circles.insert(circle.into_iter().collect::<Vec<_>>());
        }
    }
    circles.into_iter().collect()
}
