//! Every kernel's WGSL against its descriptor, without a GPU.

use glasshead::gpu::kernel::{Access, Halves, Kernel};
use glasshead::ops::rows::expand;
use glasshead::ops::{KERNELS, strip};
use naga::valid::{Capabilities, ModuleInfo, ShaderStages, SubgroupOperationSet, ValidationFlags, Validator};

/// The module of a kernel with all bindings as f32.
pub fn parse(kernel: &Kernel) -> (naga::Module, ModuleInfo) {
    parse_with(kernel, Halves::default())
}

/// Like `parse`, with some bindings as f16.
pub fn parse_with(kernel: &Kernel, halves: Halves) -> (naga::Module, ModuleInfo) {
    let name = kernel.name;
    let module = naga::front::wgsl::parse_str(&kernel.source(halves)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let capabilities = Capabilities::SUBGROUP | Capabilities::SHADER_INT64 | Capabilities::SHADER_FLOAT16;
    let info = Validator::new(ValidationFlags::all(), capabilities)
        .subgroup_stages(ShaderStages::COMPUTE)
        .subgroup_operations(SubgroupOperationSet::all())
        .validate(&module)
        .unwrap_or_else(|error| panic!("{name}: {error:?}"));
    (module, info)
}

#[test]
fn every_entry_point_exists_once_in_the_list() {
    let mut names: Vec<_> = KERNELS.iter().map(|kernel| kernel.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), KERNELS.len());
    for kernel in KERNELS {
        let (module, _) = parse(kernel);
        assert!(module.entry_points.iter().any(|entry| entry.name == kernel.name), "{}", kernel.name);
    }
}

#[test]
fn no_entry_point_in_the_shaders_is_missing_from_the_list() {
    for kernel in KERNELS {
        for entry in parse(kernel).0.entry_points {
            assert!(KERNELS.iter().any(|other| other.name == entry.name), "{} is in no descriptor", entry.name);
        }
    }
}

#[test]
fn bindings_and_uniforms_match_the_descriptor() {
    for kernel in KERNELS {
        let (module, info) = parse(kernel);
        let index = module.entry_points.iter().position(|entry| entry.name == kernel.name).unwrap();
        let uses = info.get_entry_point(index);
        let mut found: Vec<(u32, Option<Access>)> = Vec::new();
        for (handle, variable) in module.global_variables.iter() {
            let Some(binding) = variable.binding else { continue };
            if uses[handle].is_empty() {
                continue;
            }
            assert_eq!(binding.group, 0, "{}: group", kernel.name);
            let access = match variable.space {
                naga::AddressSpace::Uniform => {
                    let size = module.types[variable.ty].inner.size(module.to_ctx()) as usize;
                    assert_eq!(size, kernel.params_bytes, "{}: size of Params", kernel.name);
                    None
                }
                naga::AddressSpace::Storage { access } => {
                    let writes = access.contains(naga::StorageAccess::STORE);
                    Some(if writes { Access::ReadWrite } else { Access::Read })
                }
                other => panic!("{}: {other:?} has a binding", kernel.name),
            };
            found.push((binding.binding, access));
        }
        found.sort_by_key(|(binding, _)| *binding);
        let uses_params = found.first().is_some_and(|(_, access)| access.is_none());
        let expected: Vec<_> = (1..).zip(kernel.access.iter().copied().map(Some)).collect();
        let storage = if uses_params { &found[1..] } else { &found[..] };
        assert_eq!(storage, expected, "{}", kernel.name);
    }
}

#[test]
fn every_kernel_stays_within_what_all_devices_have() {
    for kernel in KERNELS {
        let (module, _) = parse(kernel);
        let entry = module.entry_points.iter().find(|entry| entry.name == kernel.name).unwrap();
        assert!(entry.workgroup_size.iter().product::<u32>() <= 256, "{}: invocations", kernel.name);
        assert!(kernel.access.len() <= 8, "{}: storage buffers", kernel.name);
        let shared: u32 = module
            .global_variables
            .iter()
            .filter(|(_, variable)| variable.space == naga::AddressSpace::WorkGroup)
            .map(|(_, variable)| module.types[variable.ty].inner.size(module.to_ctx()))
            .sum();
        assert!(shared <= 16 << 10, "{}: {shared} bytes of workgroup memory", kernel.name);
    }
}

#[test]
fn every_shader_file_is_used_and_no_longer_than_150_lines() {
    let sources: Vec<&str> = KERNELS.iter().flat_map(|kernel| kernel.wgsl.iter().copied()).collect();
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/shaders");
    let mut n_files = 0;
    for folder in [root.to_string(), format!("{root}/lib")] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "wgsl") {
                let text = std::fs::read_to_string(&path).unwrap();
                let mut stripped = vec![0; strip(text.as_bytes(), &mut [])];
                strip(text.as_bytes(), &mut stripped);
                // A template of rows is expanded for several lengths; other files have no placeholders.
                let mut expanded = vec![0; expand(&stripped, 4, &mut [])];
                expand(&stripped, 4, &mut expanded);
                let used = sources.iter().any(|source| [&stripped, &expanded].contains(&&source.as_bytes().to_vec()));
                assert!(used, "{} is used by no kernel", path.display());
                assert!(text.lines().count() <= 150, "{} is too long", path.display());
                n_files += 1;
            }
        }
    }
    assert!(n_files > 15);
}

#[test]
fn only_comments_and_indentation_are_removed() {
    let wgsl = "// About.\n\nfn f() -> f32 { // µ\n    return 1.0 / 2.0;\n}\n";
    let mut stripped = vec![0; strip(wgsl.as_bytes(), &mut [])];
    strip(wgsl.as_bytes(), &mut stripped);
    assert_eq!(String::from_utf8(stripped).unwrap(), "fn f() -> f32 { \nreturn 1.0 / 2.0;\n}\n");
}
